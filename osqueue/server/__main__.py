"""`python -m osqueue.server`: the same as `osqueue server`."""

import sys

from osqueue.cli import main

if __name__ == "__main__":
    main(["server", *sys.argv[1:]], prog_name="osqueue")
