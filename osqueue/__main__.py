"""`python -m osqueue`: the `osqueue` command."""

from osqueue.cli import main

if __name__ == "__main__":
    main(prog_name="osqueue")
