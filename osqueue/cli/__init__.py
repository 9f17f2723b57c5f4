"""The `osqueue` command, and the composition root: what the other packages are given is made here.

Nothing imports this package but the `__main__` files. A command loads what it needs when it runs,
so that a broker starts without the client's libraries, and `--help` without any.
"""

from osqueue.cli.commands.group import main

__all__ = ["main"]
