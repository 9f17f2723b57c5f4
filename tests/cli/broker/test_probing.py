"""A standby's question to the leader's address, on real sockets."""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from osqueue.cli.broker.probing import hold_connection, is_refusal, name_in, probe_leader

NAME = "0123456789abcdef"
ANSWER = (
    b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"total": 0, "commitId": "3-9-'
    + NAME.encode()
    + b'", "later": true}'
)


@asynccontextmanager
async def answering(answer: bytes) -> AsyncGenerator[str]:
    """A server that answers every connection with these bytes; its address."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            if answer:
                await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_leader_tells_its_name() -> None:
    async with answering(ANSWER) as address:
        assert await probe_leader(address) == NAME


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 421 Misdirected\r\n\r\n" + ANSWER.partition(b"\r\n\r\n")[2],
        b"HTTP/1.1 200 OK\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\n\r\n{"commitId": "no"}',
        b"garbage " * 20_000,
    ],
)
async def test_anything_else_is_no_name(answer: bytes) -> None:
    async with answering(answer) as address:
        assert await probe_leader(address) is None


async def test_connection_is_held_until_the_leader_closes_it() -> None:
    accepted, release, released = trio.Event(), trio.Event(), trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            accepted.set()
            await release.wait()

    async def hold(address: str) -> None:
        await hold_connection(address)
        released.set()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        nursery.start_soon(hold, f"127.0.0.1:{listeners[0].socket.getsockname()[1]}")
        await accepted.wait()
        assert not released.is_set()
        release.set()
        await released.wait()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:x"])
async def test_connection_that_cannot_be_made_ends_at_once(address: str) -> None:
    await hold_connection(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_port_that_refuses_is_told(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        await probe_leader(f"{host}:{port}")


@pytest.mark.parametrize("address", ["", "nowhere", "no.such.host.invalid:80", "[:80"])
async def test_address_that_leads_nowhere_is_silence(address: str) -> None:
    assert await probe_leader(address) is None


def test_one_attempt_that_was_not_refused_is_enough_to_be_no_refusal() -> None:
    refused, lost = ConnectionRefusedError(), TimeoutError()
    several = OSError("all failed")
    several.__cause__ = ExceptionGroup("attempts", [refused, lost])
    assert not is_refusal(several)
    several.__cause__ = ExceptionGroup("attempts", [refused, refused])
    assert is_refusal(several)
    # The name has an address of a family that is off here.
    off = OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
    several.__cause__ = ExceptionGroup("attempts", [off, refused])
    assert is_refusal(several)
    several.__cause__ = off
    assert not is_refusal(several)
    assert not is_refusal(OSError("no cause"))


def test_name_is_read_from_the_newest_commit() -> None:
    assert name_in(ANSWER) == NAME
