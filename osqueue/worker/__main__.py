"""`python -m osqueue.worker module:attribute`: the same as `osqueue worker`."""

import sys

from osqueue.cli import main

if __name__ == "__main__":
    main(["worker", *sys.argv[1:]], prog_name="osqueue")
