"""Would a commit to a bucket be faster, were the document compressed?

`python -m benchmarks.compression [--json]`: documents of 1, 5 and 20 MB are put over lines of 20,
50 and 100 MB/s, as they are and compressed: whole, for each commit again, or a block at a time,
where a commit compresses only the blocks that it changes, and the body is their frames in a row.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import socket
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import msgspec
import trio
import zstandard
from msgspec import Raw

from osqueue.core.limits import BLOCK_JOBS
from storage_adapters.contract import ABSENT
from storage_adapters.credentials.source import FixedSource
from storage_adapters.http_store import HttpStore
from storage_adapters.s3 import S3Dialect
from storage_adapters.signing import AwsKeys
from tests.builders import make_job

__all__ = ["main"]

Compress = Callable[[list[bytes]], list[bytes]]

MEGABYTES = (1, 5, 20)
LINES_MB_S = (20, 50, 100)
ROUNDS = 5
CHANGED_BLOCKS = 3
"""Where jobs are added, where they are claimed, and where they are completed."""
GZIP = 31
"""What zlib calls its window when it writes the headers of gzip."""
READ_BYTES = 65_536
WORDS = ("invoice", "customer", "report", "weekly", "failed", "delivery", "account", "order")


def make_blocks(document_bytes: int) -> list[bytes]:
    """Jobs as a shop would have them, no two alike, a block each."""
    drawn = random.Random(1)
    blocks: list[bytes] = []
    number = size = 0
    while size < document_bytes:
        jobs = []
        for _ in range(BLOCK_JOBS):
            number += 1
            payload = {
                "to": f"{drawn.getrandbits(40):x}@example.org",
                "subject": " ".join(drawn.choices(WORDS, k=8)),
                "total": drawn.randint(1, 100_000) / 100,
                "trace": f"{drawn.getrandbits(128):032x}",
            }
            job_id = f"0190b2c4-{drawn.getrandbits(16):04x}-7c17-8be2-{drawn.getrandbits(48):012x}"
            encoded = Raw(msgspec.json.encode(payload))
            jobs.append(make_job(number, id=job_id, type="email:send", payload=encoded))
        blocks.append(msgspec.json.encode(jobs)[1:-1] + b",\n")
        size += len(blocks[-1])
    return blocks


def by_gzip(blocks: list[bytes]) -> list[bytes]:
    """All blocks in one stream."""
    packer = zlib.compressobj(1, zlib.DEFLATED, GZIP)
    return [*map(packer.compress, blocks), packer.flush()]


def by_zstd(blocks: list[bytes]) -> list[bytes]:
    """All blocks in one stream."""
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return [*map(packer.compress, blocks), packer.flush()]


KINDS: dict[str, Compress] = {"gzip 1": by_gzip, "zstd 1": by_zstd}


def serve_slowly(pipe: Connection, bytes_per_s: int) -> None:
    """Be a bucket behind a line: take one request after the other, no faster than it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # A sender must feel the pace, and not fill a large buffer at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_BYTES)
        pipe.send(listener.getsockname()[1])
        connection, _ = listener.accept()
        with connection:
            while take_request(connection, bytes_per_s):
                connection.sendall(b'HTTP/1.1 200 OK\r\netag: "1"\r\ncontent-length: 0\r\n\r\n')


def take_request(connection: socket.socket, bytes_per_s: int) -> bool:
    """Receive one request. Whether there was one."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(READ_BYTES)
        if not more:
            return False
        received += more
    head, _, body = received.lower().partition(b"\r\n\r\n")
    length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
    size, began = len(body), time.perf_counter()
    while size < length:
        size += len(connection.recv(READ_BYTES))
        time.sleep(max(0, began + size / bytes_per_s - time.perf_counter()))
    return True


@contextmanager
def slow_bucket(bytes_per_s: int) -> Iterator[str]:
    """A bucket behind a line, in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve_slowly, args=(theirs, bytes_per_s), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


async def put_ms(url: str, make_chunks: Callable[[], list[bytes]]) -> float:
    """The median of some commits: what makes the body runs in a thread, as hashing does."""
    store = HttpStore(S3Dialect("bucket", endpoint_url=url), FixedSource(AwsKeys("id", "secret")))
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        chunks = await trio.to_thread.run_sync(make_chunks)
        await store.put("queue.json", chunks, condition=ABSENT)
        times.append((time.perf_counter() - began) * 1_000)
    await store.aclose()
    return statistics.median(times)


def cpu_ms(make_chunks: Callable[[], list[bytes]]) -> float:
    """The least CPU time of some rounds."""
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        make_chunks()
        times.append((time.process_time() - began) * 1_000)
    return min(times)


def ways_of(blocks: list[bytes]) -> dict[str, Callable[[], list[bytes]]]:
    """How a commit makes its body, by name."""
    ways: dict[str, Callable[[], list[bytes]]] = {"as it is": lambda: blocks}
    for name, compress in KINDS.items():
        ways[f"{name}, whole"] = lambda compress=compress: compress(blocks)
        kept = [b"".join(compress([block])) for block in blocks]

        def change_some(compress: Compress = compress, kept: list[bytes] = kept) -> list[bytes]:
            changed = [b"".join(compress([block])) for block in blocks[:CHANGED_BLOCKS]]
            return changed + kept[CHANGED_BLOCKS:]

        ways[f"{name}, by block"] = change_some
    return ways


def measure() -> list[dict[str, float | str]]:
    """One row for each size and way."""
    rows: list[dict[str, float | str]] = []
    for megabytes in MEGABYTES:
        blocks = make_blocks(megabytes * 1_000_000)
        document_bytes = sum(map(len, blocks))
        for name, make_chunks in ways_of(blocks).items():
            made = sum(map(len, make_chunks()))
            row: dict[str, float | str] = {
                "MB": megabytes,
                "way": name,
                "size %": 100 * made / document_bytes,
                "memory MB": 0 if made == document_bytes else made / 1e6,
                "CPU ms": cpu_ms(make_chunks),
            }
            for line in LINES_MB_S:
                with slow_bucket(line * 1_000_000) as url:
                    row[f"ms at {line} MB/s"] = trio.run(put_ms, url, make_chunks)
            rows.append(row)
    return rows


def main() -> None:
    """Run the benchmark and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    options = parser.parse_args()
    rows = measure()
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print("".join(f"{name:>18}" for name in rows[0]))
    for row in rows:
        values = (f"{each:.1f}" if isinstance(each, float) else each for each in row.values())
        print("".join(f"{value:>18}" for value in values))


if __name__ == "__main__":
    main()
