"""Where the client turns, whatever it is told."""

from __future__ import annotations

import random

import pytest

from osqueue.client.route import BrokerUrl, Route

__all__: list[str] = []

A = BrokerUrl.parse("http://10.0.0.1:8080")
B = BrokerUrl.parse("http://10.0.0.2:8080")


def make_route(*brokers: BrokerUrl) -> Route:
    return Route(brokers, random.Random(1))


@pytest.mark.parametrize(
    ("url", "address", "http_url"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("ws://broker", "broker:80", "http://broker:80"),
        ("https://broker/queue/", "broker:443", "https://broker:443/queue"),
        ("wss://[::1]:8443", "[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_a_brokers_url_is_read(url: str, address: str, http_url: str) -> None:
    broker = BrokerUrl.parse(url)
    assert broker.address == address
    assert broker.http_url == http_url


@pytest.mark.parametrize("url", ["http://a:b", "http://a:99999"])
def test_parse_with_a_port_that_is_none_names_the_url(url: str) -> None:
    with pytest.raises(ValueError, match="the port is a number from 1 to 65535, not as in '" + url):
        BrokerUrl.parse(url)


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://broker", "http://", "http://a:b", ""])
def test_what_is_no_brokers_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        BrokerUrl.parse(url)


def test_the_websocket_lies_under_the_brokers_path() -> None:
    assert BrokerUrl.parse("https://host/queue").websocket_path == "/queue/v1/ws"


def test_a_failed_broker_is_followed_by_the_next() -> None:
    route = make_route(A, B)
    assert route.broker == A
    route.failed(0)
    assert route.broker == B
    route.failed(0)
    assert route.broker == A


def test_the_leader_that_was_named_is_tried_first() -> None:
    route = make_route(A)
    route.refused(0, epoch=7, address="10.0.0.2:8080")
    assert route.broker == B


def test_the_highest_epoch_counts() -> None:
    route = make_route(A)
    route.refused(0, epoch=7, address="10.0.0.2:8080")
    route.refused(0, epoch=6, address="10.0.0.3:8080")
    assert route.broker == A
    route.refused(0, epoch=8, address="10.0.0.3:8080")
    assert route.broker == BrokerUrl.parse("http://10.0.0.3:8080")


def test_a_leader_that_does_not_serve_is_dropped_for_the_configured_brokers() -> None:
    route = make_route(A)
    route.refused(0, epoch=7, address="10.0.0.2:8080")
    route.failed(0)
    assert route.broker == A


def test_a_leader_without_an_address_means_the_next_broker() -> None:
    route = make_route(A, B)
    route.refused(0, epoch=7, address="")
    assert route.broker == B


def test_an_address_that_makes_no_sense_is_ignored() -> None:
    route = make_route(A)
    route.refused(0, epoch=7, address="not an address:x")
    assert route.broker == A


def test_a_named_leader_is_reached_the_same_way() -> None:
    route = make_route(BrokerUrl.parse("https://10.0.0.1:8443"))
    route.refused(0, epoch=1, address="10.0.0.2:8443")
    assert route.broker == BrokerUrl.parse("https://10.0.0.2:8443")


def test_without_brokers_the_store_names_the_leader_each_time() -> None:
    route = make_route()
    assert route.broker is None
    route.found(epoch=3, address="10.0.0.2:8080")
    assert route.broker == B
    route.failed(0)
    assert route.broker is None
    route.found(epoch=3, address="10.0.0.2:8080")
    assert route.broker == B


def test_tries_are_quick_at_first_and_never_rarer_than_one_a_second() -> None:
    route = make_route(A)
    assert route.wait_ms(0) == 0
    route.failed(0)
    assert route.wait_ms(0) == 0, "the first reconnect is at once"
    route.failed(0)
    assert 50 <= route.wait_ms(0) <= 100
    assert 50 <= route.wait_ms(900) <= 100
    assert 150 <= route.wait_ms(3_000) <= 300
    assert 500 <= route.wait_ms(1_000_000) <= 1_000


def test_an_answer_ends_the_waiting() -> None:
    route = make_route(A)
    for _ in range(3):
        route.failed(0)
    route.served()
    assert route.wait_ms(5_000) == 0
