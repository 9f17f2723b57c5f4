"""The HTTP transport against a real broker, through a proxy that loses replies."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
import trio
import trustme

from osqueue.client import Client
from osqueue.core.errors import OutcomeUnknown, Unavailable
from tests.client.brokers.flaky_proxy import FlakyProxy
from tests.server.harness import Served

__all__: list[str] = []


@pytest.fixture(autouse=True)
async def limit_time() -> AsyncIterator[None]:
    with trio.fail_after(15):
        yield


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_lost_reply_means_one_job(
    served: Served, proxy: FlakyProxy, transport: Literal["websocket", "http"]
) -> None:
    async with Client(proxy.url, transport=transport) as client:
        await client.stats()
        proxy.replies_to_lose = 1
        submitted = await client.submit("once")
        assert proxy.has_lost.is_set()
        page = await client.list_jobs()
    assert [job.id for job in page.jobs] == [submitted.job_id]
    assert not submitted.duplicate


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_lost_reply_to_a_completion_is_completed_once(
    proxy: FlakyProxy, transport: Literal["websocket", "http"]
) -> None:
    async with Client(proxy.url, transport=transport) as client:
        await client.submit()
        (job,) = await client.claim("w")
        proxy.replies_to_lose = 1
        await client.complete(job)
        assert proxy.has_lost.is_set()
        assert (await client.stats()).completed_total == 1


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_lost_reply_to_a_claim_gives_the_same_job(
    proxy: FlakyProxy, transport: Literal["websocket", "http"]
) -> None:
    async with Client(proxy.url, transport=transport) as client:
        submitted = await client.submit()
        proxy.replies_to_lose = 1
        (job,) = await client.claim("w")
        assert proxy.has_lost.is_set()
        assert job.job_id == submitted.job_id
        await client.complete(job)


async def test_concurrent_calls_use_few_connections(proxy: FlakyProxy) -> None:
    async with Client(proxy.url, transport="http") as client:
        async with trio.open_nursery() as nursery:
            for number in range(500):
                nursery.start_soon(client.submit, number)
        assert (await client.stats()).total == 500
    assert proxy.connection_count <= 8


async def test_waiting_claims_do_not_hold_up_other_calls(proxy: FlakyProxy) -> None:
    async with Client(proxy.url, transport="http") as client, trio.open_nursery() as nursery:
        claimed: list[str] = []

        async def wait(worker_id: str) -> None:
            (job,) = await client.claim(worker_id, wait_ms=10_000)
            claimed.append(job.job_id)

        for number in range(6):
            nursery.start_soon(wait, f"w{number}")
        jobs = [(await client.submit(number)).job_id for number in range(6)]
        while len(claimed) < 6:
            await client.stats()
        assert sorted(claimed) == sorted(jobs)


async def test_cut_connections_are_replaced(proxy: FlakyProxy) -> None:
    async with Client(proxy.url, transport="http") as client:
        for number in range(3):
            await client.submit(number)
            proxy.cut()
        assert (await client.stats()).total == 3


async def test_no_broker_at_all_ends_as_unavailable(unused_port: int) -> None:
    url = f"http://127.0.0.1:{unused_port}"
    async with Client(url, transport="http", timeout_s=0.3) as client:
        with pytest.raises(Unavailable, match="ConnectError"):
            await client.stats()


async def test_what_is_no_broker_ends_as_unknown(nursery: trio.Nursery) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(
                b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"
            )

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, answer, listeners)
    port = listeners[0].socket.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    async with Client(url, transport="http", timeout_s=0.3) as client:
        with pytest.raises(OutcomeUnknown):
            await client.submit()


async def test_the_leader_that_is_named_is_asked(served: Served, nursery: trio.Nursery) -> None:
    leader = served.server.address
    body = (
        b"\x83\xa4_tag\xa9NotLeader\xa5epoch\x05\xadbrokerAddress"
        + bytes([0xA0 | len(leader)])
        + leader.encode()
    )
    body = body.replace(b"\x83", b"\x84", 1) + b"\xa7message\xa2no"

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            head = f"HTTP/1.1 421 Misdirected Request\r\nContent-Length: {len(body)}\r\n\r\n"
            await stream.send_all(head.encode() + body)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, answer, listeners)
    port = listeners[0].socket.getsockname()[1]
    async with Client(f"http://127.0.0.1:{port}", transport="http") as client:
        await client.submit()
        assert (await client.stats()).total == 1


class Authority:
    """Signs the certificate of this machine; `trust` makes the clients of a test believe it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._authority = trustme.CA()
        self._monkeypatch = monkeypatch
        self._file = folder / "authority.pem"
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert("127.0.0.1").configure_cert(self.tls)

    def trust(self) -> None:
        self._authority.cert_pem.write_to_path(self._file)
        self._monkeypatch.setenv("SSL_CERT_FILE", str(self._file))


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Authority:
    return Authority(monkeypatch, tmp_path)


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_broker_behind_tls_is_reached_if_its_certificate_is_trusted(
    served: Served,
    nursery: trio.Nursery,
    authority: Authority,
    transport: Literal["websocket", "http"],
) -> None:
    proxy = FlakyProxy(served.server.port, tls=authority.tls)
    await nursery.start(proxy.run)
    async with Client(proxy.url, transport=transport, timeout_s=0.3) as client:
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await client.submit()
        assert not await client.health()
    authority.trust()
    async with Client(proxy.url, transport=transport) as client:
        await client.submit()
        assert (await client.stats()).total == 1
        assert await client.health()


async def test_a_call_given_up_before_it_could_be_sent_is_not_unknown_and_never_sent(
    served: Served, nursery: trio.Nursery, authority: Authority
) -> None:
    authority.trust()
    proxy = FlakyProxy(served.server.port, tls=authority.tls)
    proxy.may_pass = trio.Event()
    await nursery.start(proxy.run)
    async with Client(proxy.url, transport="http", timeout_s=0.4) as client:
        with pytest.raises(Unavailable):
            await client.submit("goes")
        proxy.may_pass.set()
        assert (await client.stats()).total == 0


async def test_a_call_cancelled_before_it_could_be_sent_takes_no_other_with_it(
    served: Served, nursery: trio.Nursery, authority: Authority
) -> None:
    authority.trust()
    proxy = FlakyProxy(served.server.port, tls=authority.tls)
    proxy.may_pass = trio.Event()
    await nursery.start(proxy.run)
    async with Client(proxy.url, transport="http") as client:
        async with trio.open_nursery() as calls:
            calls.start_soon(client.submit, "stays")
            with trio.move_on_after(0.05):
                await client.submit("goes")
            proxy.may_pass.set()
        page = await client.list_jobs()
    assert [job.payload for job in page.jobs] == ["stays"]
