"""What does one submit cost the server between the bytes of its frame and the bytes of its reply?

The broker behind it answers at once, so that only decoding, admission, ids and encoding count:
CPU microseconds for each submit, best of many frames. The target is below ten.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import trio

from osqueue.core.outcomes import JobsSubmitted
from osqueue.protocol.codec import (
    Encoding,
    decode_frame,
    encode_message,
    encode_replies,
    encode_requests,
)
from osqueue.protocol.messages import WireRequest
from osqueue.server.dispatch import Caller, Dispatcher
from osqueue.settings import Settings

FRAME_REQUESTS = 1_000
FRAMES = 50


class InstantBroker:
    """Says that everything is durable."""

    name = "0000000000000000"
    advertised_address = leader_address = "127.0.0.1:8080"
    epoch = 1

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    async def submit(self, requests: Sequence[Any], *, until_settled: bool) -> list[JobsSubmitted]:
        return [JobsSubmitted([job.id for job in request.jobs]) for request in requests]


def make_frame(encoding: Encoding, *, is_sequenced: bool) -> bytes:
    """A frame of submits of small jobs, as a client sends it."""
    requests: list[WireRequest] = []
    for number in range(FRAME_REQUESTS):
        params: dict[str, Any] = {
            "payload": {"path": f"/usr/lib/python3/{number}.py", "n": number},
            "type": "file:hash",
        }
        if is_sequenced:
            params["jobId"] = f"0190b2c4-9f3a-7c17-8be2-d40c55{number:06d}"
        request = WireRequest(
            "submitJob",
            msgspec.Raw(encode_message(number, encoding)),
            msgspec.Raw(encode_message(params, encoding)),
        )
        if is_sequenced:
            request.sequence, request.first_incomplete = number + 1, 1
        requests.append(request)
    return encode_requests(requests, encoding)


async def measure(encoding: Encoding, *, is_sequenced: bool) -> list[float]:
    """CPU microseconds a submit: reading the frame, building requests, asking, writing replies."""
    settings = Settings()
    broker: Any = InstantBroker()
    dispatcher = Dispatcher(broker, settings, random.Random(1))
    body = make_frame(encoding, is_sequenced=is_sequenced)
    best = [float("inf")] * 4
    for _ in range(FRAMES):
        times = [time.process_time_ns()]
        frame = decode_frame(body, encoding, settings.limits)
        times.append(time.process_time_ns())
        [ticket] = dispatcher.read(frame, Caller(client_id="c", is_websocket=True))
        times.append(time.process_time_ns())
        replies = await dispatcher.answer(ticket)
        times.append(time.process_time_ns())
        encode_replies(
            replies, is_array=True, encoding=encoding, bytes_max=settings.limits.frame_bytes_max
        )
        times.append(time.process_time_ns())
        steps = [after - before for before, after in itertools.pairwise(times)]
        best = min(best, [step / FRAME_REQUESTS / 1_000 for step in steps], key=sum)
    return best


async def main() -> None:
    """Print one row for each encoding, with and without a sequence."""
    print(f"{'encoding':20} {'read':>6} {'build':>6} {'render':>6} {'write':>6} {'us/submit':>9}")
    for encoding in Encoding:
        for is_sequenced in (False, True):
            steps = await measure(encoding, is_sequenced=is_sequenced)
            name = f"{encoding.name.lower()}{' sequenced' if is_sequenced else ''}"
            columns = " ".join(f"{step:6.2f}" for step in steps)
            print(f"{name:20} {columns} {sum(steps):9.2f}")


if __name__ == "__main__":
    trio.run(main)
