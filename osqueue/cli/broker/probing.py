"""Asks the broker at an address for its name: a standby's evidence that the leader lives, or not.

One small HTTP request on a plain socket, so that a standby loads no client library for it.
"""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

import msgspec
import structlog
import trio

from osqueue.core.ids import CommitId

__all__ = ["probe_leader"]

log = structlog.get_logger(__name__)

ANSWER_BYTES_MAX = 65_536


class Answer(msgspec.Struct, rename="camel"):
    """What is read of getStats. A leader alone answers it, and its newest commit is its own."""

    commit_id: str


async def probe_leader(address: str) -> str | None:
    """The name of the broker that leads at HOST:PORT; None where no leader answers sensibly.

    Raises:
        ConnectionRefusedError: nothing listens there, at none of the host's addresses.

    Cancellation: the connection is dropped.
    """
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if host is None or port is None:
        return None
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as error:
        if is_refusal(error):
            raise ConnectionRefusedError(f"nothing listens at {address}") from error
        return None
    async with stream:
        request = (
            f"GET /v1/stats HTTP/1.1\r\nHost: {address}\r\n"
            "Accept: application/json\r\nConnection: close\r\n\r\n"
        )
        try:
            await stream.send_all(request.encode("ascii"))
            name = name_in(await read_answer(stream))
        except (trio.BrokenResourceError, UnicodeEncodeError):
            return None
    log.debug("probed the leader", address=address, broker=name)
    return name


def is_refusal(error: BaseException) -> bool:
    """Whether every attempt that the error tells of was refused.

    Trio tries all addresses of a host and reports the failures as the cause of one error.
    """
    if isinstance(error, ConnectionRefusedError):
        return True
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(map(is_refusal, group.exceptions))
    return error.__cause__ is not None and is_refusal(error.__cause__)


async def read_answer(stream: trio.SocketStream) -> bytes:
    """Everything until the peer closes, up to a limit."""
    received = bytearray()
    while len(received) < ANSWER_BYTES_MAX and (data := await stream.receive_some()):
        received += data
    return bytes(received)


def name_in(answer: bytes) -> str | None:
    """The broker's name in an HTTP answer, where it is there."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ")[1:2] != [b"200"]:
        return None
    try:
        commit_id = msgspec.json.decode(body, type=Answer).commit_id
        return CommitId.parse(commit_id).broker_name
    except (msgspec.DecodeError, ValueError):
        return None
