"""Sockets and the life of a server: bind, run, drain, stop."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
import structlog
import trio

from osqueue.server.serving import ListenError, Server, explain, hypercorn_config, open_sockets
from osqueue.settings import Settings
from storage_adapters.contract import Condition, Version
from storage_adapters.memory import MemoryStore
from tests.server.harness import Served, serve


def unbound(served: Served, **settings: object) -> Server:
    fields = {"broker_port": 0, "storage_backend": "memory", **settings}
    changed: Any = Settings(**fields)  # type: ignore[arg-type]
    return Server(served.broker, changed, random=random.Random(1))


async def test_port_that_is_taken_is_named(served: Served) -> None:
    second = unbound(served, broker_port=served.server.port)
    with pytest.raises(
        ListenError, match=rf"BROKER_PORT {served.server.port} on 127.0.0.1 is in use"
    ):
        second.bind()


async def test_address_of_another_machine_is_named(served: Served) -> None:
    with pytest.raises(ListenError, match=r"BROKER_HOST .* cannot be listened on"):
        unbound(served, broker_host="192.0.2.1").bind()


def test_port_that_is_not_allowed_is_named() -> None:
    assert "choose one above 1023" in explain(PermissionError(13, "Permission denied"), "h", 80)


async def test_name_with_several_addresses_gets_one_port(served: Served) -> None:
    server = unbound(served, broker_host="localhost")
    server.bind()
    assert server.address == f"localhost:{server.port}"
    stream = await trio.open_tcp_stream("localhost", server.port)
    await stream.aclose()
    server.close()


def test_address_that_this_machine_does_not_have_is_passed_over() -> None:
    elsewhere, here = ((socket.AF_INET, (host, 0)) for host in ("192.0.2.1", "127.0.0.1"))
    for addresses in ([elsewhere, here], [here, elsewhere]):
        [listener] = open_sockets(addresses, Settings())
        assert listener.getsockname()[0] == "127.0.0.1"
        listener.close()


async def test_address_that_is_taken_is_not_passed_over(served: Served) -> None:
    taken = (socket.AF_INET, ("127.0.0.1", served.server.port))
    with pytest.raises(OSError, match="in use"):
        open_sockets([(socket.AF_INET, ("127.0.0.1", 0)), taken], Settings())


def test_name_without_an_address_of_this_machine_is_refused_and_nothing_passed_over() -> None:
    elsewhere = (socket.AF_INET, ("192.0.2.1", 0))
    with (
        structlog.testing.capture_logs() as logs,
        pytest.raises(OSError, match="Cannot assign requested address"),
    ):
        open_sockets([elsewhere], Settings())
    assert logs == []


def own_addresses(*hosts: str) -> list[str]:
    """Those that this machine has: many have no IPv6."""
    found: list[str] = []
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            probe.bind((host, 0))
            found.append(host)
    return found


async def test_clients_of_every_address_are_served(served: Served, nursery: trio.Nursery) -> None:
    server = unbound(served, broker_host=own_addresses("::", "0.0.0.0")[0])
    server.bind()
    await nursery.start(server.run)
    for host in own_addresses("::1", "127.0.0.1"):
        stream = await trio.open_tcp_stream(host, server.port)
        await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
        await stream.aclose()
    server.stop()


async def test_connection_of_before_run_is_served_by_it(
    served: Served, nursery: trio.Nursery
) -> None:
    server = unbound(served)
    server.bind()
    early = await trio.open_tcp_stream("127.0.0.1", server.port)
    await early.send_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert await nursery.start(server.run) == server.address
    assert (await early.receive_some()).startswith(b"HTTP/1.1 200")
    await early.aclose()
    server.stop()


async def test_accepted_connections_die_with_their_peer(served: Served) -> None:
    [listener] = served.server._sockets
    assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5_000
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_connection_is_kept_alive_for_many_requests(served: Served) -> None:
    async with await served.connect() as stream:
        for _ in range(50):
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while not received.endswith(b'{"status":"ok"}'):
                received += await stream.receive_some()
            assert received.startswith(b"HTTP/1.1 200")
            assert b"server:" not in received
            assert b"connection: close" not in received


async def test_stop_lets_a_reply_under_way_arrive(served: Served) -> None:
    stream = await served.connect()
    body = b'{"workerId":"w","waitMs":30000}'
    await stream.send_all(
        b"POST /v1/jobs/claim HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )
    await trio.testing.wait_all_tasks_blocked(0.05)
    idle = await served.connect()
    with trio.fail_after(5):
        served.server.begin_drain("test")
        await served.broker.drain()
        served.server.stop()
        received = b""
        async for chunk in stream:
            received += chunk
        assert received.endswith(b"\r\n\r\n{}")
        assert await idle.receive_some() == b""
    await stream.aclose()
    await idle.aclose()


def test_hypercorn_is_bounded_by_our_limits() -> None:
    config = hypercorn_config(Settings())
    assert config.websocket_max_message_size == 8_388_608
    assert config.keep_alive_timeout == 75
    assert config.include_server_header is False
    assert config.read_timeout is None
    assert config.log.access_logger is None


class HeldStore(MemoryStore):
    """A store whose writes wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.may_write = trio.Event()
        self.may_write.set()

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        await self.may_write.wait()
        return await super().put(key, chunks, condition=condition, metadata=metadata)


@pytest.mark.parametrize("is_websocket", [True, False])
async def test_client_that_leaves_keeps_its_share_of_memory_until_its_jobs_are_settled(
    nursery: trio.Nursery, seeded_random: random.Random, is_websocket: bool
) -> None:
    store = HeldStore()
    settings = Settings(broker_port=0, storage_backend="memory", received_bytes_max=8_388_608)
    served = await serve(nursery, settings, seeded_random, store=store)
    store.may_write = trio.Event()
    jobs = {"jobs": [{"jobId": f"j{number}", "payload": "x" * 200_000} for number in range(25)]}
    intake = served.server.intake

    async def leave_behind() -> None:
        """Ask for something large, and go as soon as all of it has arrived."""
        held = intake.bytes_held
        if is_websocket:
            client = await served.open_websocket()
            await client.send_json({"id": 1, "method": "submitJobs", "params": jobs})
        else:
            body = msgspec.json.encode(jobs)
            stream = await served.connect()
            await stream.send_all(
                b"POST /v1/jobs/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                % len(body)
            )
            await stream.send_all(body)
        while intake.bytes_held < held + 4_900_000 or intake.receiving:
            await trio.lowlevel.checkpoint()
        await (client.aclose() if is_websocket else stream.aclose())

    with trio.fail_after(20):
        await leave_behind()
        await trio.sleep(0.05)
        assert intake.bytes_held > 4_900_000, "its jobs wait for the store still"
        assert (await served.request("GET", "/healthz")).status == 200
        store.may_write.set()
        while intake.bytes_held:
            await trio.lowlevel.checkpoint()
        assert (await served.request("GET", "/v1/stats")).json()["total"] == 25
    nursery.cancel_scope.cancel()
