"""Settings: the table, reading from environment and flags, bounds, relations, derived address."""

import msgspec
import pytest

from osqueue.core.limits import Limits
from osqueue.settings import (
    RELATIONS,
    SETTINGS,
    Kind,
    Setting,
    Settings,
    SettingsError,
    advertised_address,
    load_settings,
)

NUMERIC = [setting for setting in SETTINGS if setting.kind in (Kind.INTEGER, Kind.NUMBER)]


def by_environment(setting: Setting) -> str:
    return setting.environment


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    return str(caught.value)


def test_table_lists_every_field_of_settings_and_limits_once() -> None:
    fields = {field.name for field in msgspec.structs.fields(Settings)} - {"limits"}
    limits = {field.name for field in msgspec.structs.fields(Limits)}
    names = [setting.name for setting in SETTINGS]
    assert len(names) == len(set(names))
    assert set(names) == fields | limits


@pytest.mark.parametrize("setting", SETTINGS, ids=by_environment)
def test_row_is_complete(setting: Setting) -> None:
    assert setting.help.endswith(".")
    assert "\n" not in setting.help
    assert setting.environment == setting.flag.removeprefix("--").replace("-", "_").upper()
    assert (setting.minimum is None) == (setting not in NUMERIC)
    assert (setting.kind is Kind.CHOICE) == bool(setting.choices)


def test_defaults_are_those_of_the_documentation() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert (settings.broker_host, settings.broker_port) == ("127.0.0.1", 8080)
    assert (settings.storage_backend, settings.file_directory) == ("file", "./osqueue-data")
    assert settings.limits == Limits()
    assert settings.limits.payload_bytes_max == 262_144


def test_environment_and_flags_are_read_and_flags_win() -> None:
    environment = {"BROKER_PORT": "9000", "LEASE_MS": " 45000 ", "JOBS_MAX": "7", "HOME": "/root"}
    settings = load_settings(environment, {"broker_port": 9001, "max_attempts": None})
    assert (settings.broker_port, settings.lease_ms) == (9001, 45_000)
    assert settings.limits.jobs_max == 7
    assert settings.max_attempts == 3


def test_flags_may_come_as_text() -> None:
    settings = load_settings({}, {"broker_port": "0", "retry_factor": 3, "log_format": "JSON"})
    assert (settings.broker_port, settings.retry_factor, settings.log_format) == (0, 3.0, "json")


def test_empty_environment_value_means_not_given() -> None:
    assert load_settings({"BROKER_PORT": "", "STORAGE_BACKEND": "  "}) == Settings()


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("Yes", True), ("off", False), ("false", False)]
)
def test_yes_no_is_read_in_its_usual_spellings(text: str, expected: bool) -> None:
    assert load_settings({"FILE_FORCE_NETWORK": text}).file_force_network is expected


def test_list_is_split_at_commas() -> None:
    settings = load_settings({"ALLOWED_ORIGINS": "https://a.example, http://b.example:81,"})
    assert settings.allowed_origins == ("https://a.example", "http://b.example:81")


def test_unknown_override_is_refused() -> None:
    with pytest.raises(SettingsError, match="no such setting: lease"):
        load_settings({}, {"lease": 1})


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("BROKER_PORT", "http", "BROKER_PORT must be a whole number, not 'http'"),
        ("BROKER_PORT", "80.5", "BROKER_PORT must be a whole number, not '80.5'"),
        ("RETRY_FACTOR", "two", "RETRY_FACTOR must be a number, not 'two'"),
        ("RETRY_FACTOR", "nan", "RETRY_FACTOR must be from 1 to 1000, not nan"),
        ("FILE_FORCE_NETWORK", "maybe", "FILE_FORCE_NETWORK must be yes or no, not 'maybe'"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be auto or json or text, not 'xml'"),
        ("STORAGE_BACKEND", "disk", "STORAGE_BACKEND must be file or memory, not 'disk'"),
        ("STORAGE_BACKEND", "s3", "STORAGE_BACKEND s3 comes in a later version"),
        ("STORAGE_BACKEND", "GCS", "STORAGE_BACKEND gcs comes in a later version"),
    ],
)
def test_unreadable_value_is_refused_by_name(name: str, text: str, expected: str) -> None:
    assert refusal({name: text}).startswith(expected)


def test_override_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(SettingsError, match="BROKER_PORT must be a whole number, not True"):
        load_settings({}, {"broker_port": True})


@pytest.mark.parametrize("setting", NUMERIC, ids=by_environment)
def test_number_out_of_bounds_is_refused_with_its_bounds(setting: Setting) -> None:
    assert setting.minimum is not None
    assert setting.maximum is not None
    for value in (setting.minimum - 1, setting.maximum + 1):
        message = refusal({setting.environment: str(value)})
        assert message.startswith(
            f"{setting.environment} must be from {setting.minimum} to {setting.maximum}, not"
        )


BROKEN_RELATIONS = [
    # What is set just inside, the one change that breaks the relation, and the message.
    (
        {"BROKER_HEARTBEAT_TIMEOUT_MS": "9000"},
        {"BROKER_HEARTBEAT_INTERVAL_MS": "3001"},
        "BROKER_HEARTBEAT_TIMEOUT_MS (9000) must be at least 3 times BROKER_HEARTBEAT_INTERVAL_MS"
        " (3001), that is 9003: one lost heartbeat",
    ),
    (
        {"LEASE_MS": "20000"},
        {"BROKER_HEARTBEAT_TIMEOUT_MS": "10001"},
        "LEASE_MS (20000) must be at least 2 times BROKER_HEARTBEAT_TIMEOUT_MS (10001)",
    ),
    (
        {"GROUP_COMMIT_INTERVAL_MS": "3000"},
        {"GROUP_COMMIT_INTERVAL_MS": "3001"},
        "BROKER_HEARTBEAT_INTERVAL_MS (3000) must be at least GROUP_COMMIT_INTERVAL_MS (3001)",
    ),
    (
        {"WRITE_DEADLINE_MS": "8000"},
        {"WRITE_DEADLINE_MS": "8001"},
        "DRAIN_TIMEOUT_MS (8000) must be at least WRITE_DEADLINE_MS (8001)",
    ),
    (
        {"RETRY_BASE_MS": "600000"},
        {"RETRY_BASE_MS": "600001"},
        "RETRY_CAP_MS (600000) must be at least RETRY_BASE_MS (600001)",
    ),
    (
        {"LEASE_MS_MIN": "30000"},
        {"LEASE_MS_MIN": "30001"},
        "LEASE_MS (30000) must be at least LEASE_MS_MIN (30001)",
    ),
    (
        {"LEASE_MS_MAX": "30000"},
        {"LEASE_MS_MAX": "29999"},
        "LEASE_MS_MAX (29999) must be at least LEASE_MS (30000)",
    ),
    (
        {"MAX_ATTEMPTS": "1000"},
        {"MAX_ATTEMPTS": "1001"},
        "ATTEMPTS_MAX (1000) must be at least MAX_ATTEMPTS (1001)",
    ),
    (
        {"FRAME_BYTES_MAX": "524288"},
        {"FRAME_BYTES_MAX": "524287"},
        "FRAME_BYTES_MAX (524287) must be at least 2 times PAYLOAD_BYTES_MAX (262144)",
    ),
    (
        {"DOCUMENT_BYTES_MAX": "524288"},
        {"DOCUMENT_BYTES_MAX": "524287"},
        "DOCUMENT_BYTES_MAX (524287) must be at least 2 times PAYLOAD_BYTES_MAX (262144)",
    ),
]


@pytest.mark.parametrize(("allowed", "change", "message"), BROKEN_RELATIONS)
def test_broken_relation_is_refused_and_names_both_settings(
    allowed: dict[str, str], change: dict[str, str], message: str
) -> None:
    load_settings(allowed)
    assert refusal({**allowed, **change}).startswith(message)


def test_every_relation_has_a_case_above() -> None:
    messages = [message for _, _, message in BROKEN_RELATIONS]
    for smaller, _, larger, _ in RELATIONS:
        assert any(
            text.startswith(f"{larger.upper()} (") and f"{smaller.upper()} (" in text
            for text in messages
        ), (smaller, larger)


def test_times_of_the_restart_test_are_allowed() -> None:
    times = {"broker_heartbeat_interval_ms": 500, "broker_heartbeat_timeout_ms": 2_000}
    load_settings({}, {**times, "lease_ms": 5_000})


def test_replaced_settings_are_checked_too() -> None:
    with pytest.raises(SettingsError, match="MAX_ATTEMPTS"):
        msgspec.structs.replace(Settings(), max_attempts=0)


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
