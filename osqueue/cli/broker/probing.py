"""A standby's view of the leader: who answers at its address, and when its connections end.

One small HTTP request on a plain socket, so that a standby loads no client library for it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import msgspec
import structlog
import trio

from osqueue.core.ids import CommitId

if TYPE_CHECKING:
    from osqueue.broker.broker import Broker

__all__ = ["probe_leader", "watch_leader"]

log = structlog.get_logger(__name__)

ANSWER_BYTES_MAX = 65_536
RECONNECT_S = 0.5
"""Between two connections to a leader, or two looks for one."""
NEVER_LEFT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What the system says of an address that this machine has no way to."""


class Answer(msgspec.Struct, rename="camel"):
    """What is read of getStats. A leader alone answers it, and its newest commit is its own."""

    commit_id: str


async def watch_leader(broker: Broker) -> None:
    """Keep a connection to whoever leads, and look at the document as soon as it ends.

    A leader closes its connections right after it has released the queue, and a process that dies
    has them closed for it: a standby need not wait for its next look. Runs until cancelled.

    Cancellation: the connection is dropped.
    """
    while True:
        address = broker.leader_address
        if address and address != broker.advertised_address:
            await hold_connection(address)
            broker.look_at_once()
        await trio.sleep(RECONNECT_S)


async def hold_connection(address: str) -> None:
    """Connect to HOST:PORT and wait until the connection ends, or cannot be made."""
    try:
        parts = urlsplit(f"//{address}")
        stream = await trio.open_tcp_stream(parts.hostname or "", parts.port or 0)
    except (OSError, ValueError):
        return
    async with stream:
        try:
            await stream.receive_some(1)
        except trio.BrokenResourceError:
            log.debug("the leader's connection broke", address=address)


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
    """Whether every attempt that the error tells of was refused; one at least was made.

    Those that never left this machine do not count: a name may have `::1` where IPv6 is off.
    """
    attempts = [one for one in attempts_in(error) if one.errno not in NEVER_LEFT]
    return bool(attempts) and all(isinstance(one, ConnectionRefusedError) for one in attempts)


def attempts_in(error: BaseException | None) -> Iterator[OSError]:
    """Trio tries all addresses of a host and reports the failures as the cause of one error."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        for one in group.exceptions:
            yield from attempts_in(one)
    elif error is not None and error.__cause__ is not None:
        yield from attempts_in(error.__cause__)
    elif isinstance(error, OSError):
        yield error


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
