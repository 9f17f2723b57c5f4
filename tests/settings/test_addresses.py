"""Addresses: malformed ones are refused by name, and the advertised one is derived."""

import pytest

from osqueue.settings import advertised_address, load_settings
from tests.settings.refusals import refusal


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BROKER_HOST", "127.0.0.1:8080"),
        ("BROKER_HOST", "[::1]"),
        ("BROKER_HOST", "http://localhost"),
        ("BROKER_ADVERTISED_ADDRESS", "broker"),
        ("BROKER_ADVERTISED_ADDRESS", "broker:0"),
        ("BROKER_ADVERTISED_ADDRESS", "broker:http"),
        ("BROKER_ADVERTISED_ADDRESS", "0.0.0.0:8080"),
        ("BROKER_ADVERTISED_ADDRESS", "[::]:8080"),
        ("BROKER_ADVERTISED_ADDRESS", "http://broker:8080"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "null"),
        ("ALLOWED_ORIGINS", "https://*.example.org"),
        ("ALLOWED_ORIGINS", "https://example.org/page"),
        ("PEER_URLS", "10.0.0.7:8080"),
        ("PEER_URLS", "http://10.0.0.7:8080/"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "http://example.org"),
        ("BROKER_URL", ","),
        ("BROKER_URL", "127.0.0.1:8080"),
        ("BROKER_URL", "http://"),
        ("BROKER_URL", "http://broker:99999"),
    ],
)
def test_malformed_address_is_refused_by_name(name: str, text: str) -> None:
    assert refusal({name: text}).startswith(f"{name} must ")


def test_well_formed_addresses_are_kept_as_given() -> None:
    settings = load_settings(
        {
            "BROKER_HOST": "::1",
            "BROKER_ADVERTISED_ADDRESS": "[fe80::7]:8080",
            "ALLOWED_ORIGINS": "https://example.org:8443",
            "ALLOWED_HOSTS": "queue.example.org",
            "BROKER_URL": "http://a:8080,https://b/queue",
        }
    )
    assert settings.broker_host == "::1"
    assert settings.broker_advertised_address == "[fe80::7]:8080"
    assert settings.broker_url == ("http://a:8080", "https://b/queue")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "127.0.0.1:4711"),
        ({"BROKER_HOST": "0.0.0.0"}, "machine:4711"),
        ({"BROKER_HOST": "::"}, "machine:4711"),
        ({"BROKER_HOST": "::1"}, "[::1]:4711"),
        ({"BROKER_HOST": "0.0.0.0", "BROKER_ADVERTISED_ADDRESS": "lb:80"}, "lb:80"),
    ],
)
def test_advertised_address_is_one_that_others_can_connect_to(
    environment: dict[str, str], expected: str
) -> None:
    settings = load_settings(environment)
    assert advertised_address(settings, host_name="machine", port=4711) == expected
