"""One setting: text read by its kind, and what is out of bounds refused by name."""

import pytest

from osqueue.settings import SETTINGS, Kind, Setting, SettingsError, load_settings
from tests.settings.refusals import refusal

NUMERIC = [setting for setting in SETTINGS if setting.kind in (Kind.INTEGER, Kind.NUMBER)]


def by_environment(setting: Setting) -> str:
    return setting.environment


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("Yes", True), ("off", False), ("false", False)]
)
def test_yes_no_is_read_in_its_usual_spellings(text: str, expected: bool) -> None:
    assert load_settings({"FILE_FORCE_NETWORK": text}).file_force_network is expected


def test_list_is_split_at_commas() -> None:
    settings = load_settings({"ALLOWED_ORIGINS": "https://a.example, http://b.example:81,"})
    assert settings.allowed_origins == ("https://a.example", "http://b.example:81")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("BROKER_PORT", "http", "BROKER_PORT must be a whole number, not 'http'"),
        ("BROKER_PORT", "80.5", "BROKER_PORT must be a whole number, not '80.5'"),
        ("RETRY_FACTOR", "two", "RETRY_FACTOR must be a number, not 'two'"),
        ("RETRY_FACTOR", "nan", "RETRY_FACTOR must be from 1 to 1000, not nan"),
        ("FILE_FORCE_NETWORK", "maybe", "FILE_FORCE_NETWORK must be yes or no, not 'maybe'"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be auto or json or text, not 'xml'"),
        (
            "STORAGE_BACKEND",
            "disk",
            "STORAGE_BACKEND must be file or memory or s3 or gcs, not 'disk'",
        ),
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
