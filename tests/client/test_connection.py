"""From a target to a client, and what comes out of the context manager."""

from __future__ import annotations

import pytest
import trio

from osqueue.client import Client
from osqueue.client.connection import BROKER_URL_DEFAULT
from osqueue.client.route import BrokerUrl
from storage_adapters.contract import StoreMisconfigured
from tests.client.brokers.scripted_broker import ScriptedBroker

__all__: list[str] = []


class Mine(Exception):
    """An error of the body."""


def brokers_of(client: Client) -> list[BrokerUrl]:
    return client._brokers


def test_the_environment_names_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "http://a:1, http://b:2")
    assert [broker.address for broker in brokers_of(Client())] == ["a:1", "b:2"]
    monkeypatch.delenv("BROKER_URL")
    assert brokers_of(Client()) == [BrokerUrl.parse(BROKER_URL_DEFAULT)]


@pytest.mark.parametrize("target", ["localhost:8080", "ftp://a", "", [], ["http://a", "file:x"]])
def test_a_target_that_is_neither_broker_nor_store_is_refused(target: str | list[str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Client(target or ",")


def test_a_store_that_cannot_be_opened_is_refused_at_once() -> None:
    with pytest.raises(StoreMisconfigured):
        Client("file:")


@pytest.mark.parametrize("timeout_s", [0, -1, 301])
def test_the_timeout_is_bounded(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        Client(timeout_s=timeout_s)


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(ValueError, match="transport"):
        Client(transport="pigeon")  # type: ignore[arg-type]


async def test_a_client_that_is_not_entered_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await Client().submit()


async def test_a_client_is_entered_once(scripted: ScriptedBroker) -> None:
    client = Client(scripted.url)
    async with client:
        pass
    with pytest.raises(RuntimeError, match="once"):
        await client.__aenter__()


async def test_the_bodys_own_error_comes_out_as_it_is(scripted: ScriptedBroker) -> None:
    async def use() -> None:
        async with Client(scripted.url) as client:
            await client.stats()
            raise Mine

    with pytest.raises(Mine):
        await use()


async def test_a_group_of_errors_stays_one_group(scripted: ScriptedBroker) -> None:
    async def fail() -> None:
        raise Mine

    with pytest.RaisesGroup(Mine):
        async with Client(scripted.url), trio.open_nursery() as nursery:
            nursery.start_soon(fail)


async def test_a_cancelled_body_ends_the_client(scripted: ScriptedBroker) -> None:
    with trio.move_on_after(0.05) as scope:
        async with Client(scripted.url) as client:
            await client.stats()
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_health_without_a_broker_is_bad(unused_port: int) -> None:
    async with Client(f"http://127.0.0.1:{unused_port}") as client:
        assert not await client.health()


async def test_a_client_knows_whether_a_broker_has_its_connection(scripted: ScriptedBroker) -> None:
    client = Client(scripted.url)
    assert not client.is_connected
    async with client:
        await client.stats()
        assert client.is_connected
