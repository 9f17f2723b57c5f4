"""Settings: the table, reading from environment and flags, bounds, relations, derived address."""

import msgspec
import pytest

from osqueue.core.limits import Limits
from osqueue.settings import (
    SETTINGS,
    Kind,
    Setting,
    Settings,
    SettingsError,
    load_settings,
)

NUMERIC = [setting for setting in SETTINGS if setting.kind in (Kind.INTEGER, Kind.NUMBER)]


def by_environment(setting: Setting) -> str:
    return setting.environment


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


def test_unknown_override_is_refused() -> None:
    with pytest.raises(SettingsError, match="no such setting: lease"):
        load_settings({}, {"lease": 1})


def test_replaced_settings_are_checked_too() -> None:
    with pytest.raises(SettingsError, match="MAX_ATTEMPTS"):
        msgspec.structs.replace(Settings(), max_attempts=0)
