"""A process of its own that writes to a file store: for tests that race or kill real processes.

    python -m tests.storage_adapters.file.store_process increment DIRECTORY TIMES
    python -m tests.storage_adapters.file.store_process replace DIRECTORY

`increment` adds one to the number in the object, TIMES times. `replace` creates or replaces the
object without end, and prints the number of each body once its put has returned.
"""

import sys

import trio

from storage_adapters.contract import ABSENT, Condition, Match
from storage_adapters.file.store import FileStore
from tests.storage_adapters.contract import increment, read_object

__all__ = ["KEY", "body_chunks"]

KEY = "queue.json"


def body_chunks(number: int) -> list[bytes]:
    """Make a body that shows its number everywhere, and whose length depends on it."""
    return [b"%08d" % number * 4_000] * (5 + number % 5)


async def increment_many(store: FileStore, times: int) -> None:
    """Race the other processes."""
    for _ in range(times):
        await increment(store, KEY)


async def replace_forever(store: FileStore) -> None:
    """Write until this process is killed."""
    number = 0
    condition: Condition = ABSENT
    if await store.list(KEY):
        data, version = await read_object(store, KEY)
        number, condition = int(data[:8]), Match(version)
    while True:
        number += 1
        condition = Match(await store.put(KEY, body_chunks(number), condition=condition))
        print(number, flush=True)


if __name__ == "__main__":
    command, directory, *arguments = sys.argv[1:]
    if command == "increment":
        trio.run(increment_many, FileStore(directory), int(arguments[0]))
    else:
        trio.run(replace_forever, FileStore(directory))
