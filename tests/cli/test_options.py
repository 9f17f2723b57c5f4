"""One flag for each setting, made from its row."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from osqueue.cli.options import (
    SECTIONS,
    SectionedCommand,
    describe,
    read_settings,
    setting_options,
    url_options,
)
from osqueue.settings import SETTINGS, SettingsError, SettingValue

BY_NAME = {setting.name: setting for setting in SETTINGS}


@click.command(cls=SectionedCommand)
@setting_options(*SECTIONS)
@url_options()
def show(**flags: SettingValue | None) -> None:
    """Print what was given."""
    given = {name: value for name, value in flags.items() if value is not None}
    given.pop("timeout_s")
    print(given)


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ([], "{}"),
        (["--broker-port", "9000"], "{'broker_port': '9000'}"),
        (["--file-force-network"], "{'file_force_network': True}"),
        (["--no-file-force-network"], "{'file_force_network': False}"),
        (
            ["--allowed-origins", "https://a,https://b"],
            "{'allowed_origins': 'https://a,https://b'}",
        ),
        (["--broker-url", "http://a:1"], "{'url': 'http://a:1'}"),
    ],
)
def test_flags_are_passed_on_as_typed(arguments: list[str], given: str) -> None:
    result = CliRunner(env={"BROKER_URL": None}).invoke(show, arguments)
    assert result.output.strip() == given


def test_every_group_of_settings_but_the_clients_has_a_section() -> None:
    assert {setting.group for setting in SETTINGS} == {*SECTIONS, "client"}


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("broker_port", "[BROKER_PORT; default 8080; 0 to 65535]"),
        ("file_force_network", "[FILE_FORCE_NETWORK; default no]"),
        ("broker_advertised_address", "[BROKER_ADVERTISED_ADDRESS; default: none]"),
        ("allowed_origins", "[ALLOWED_ORIGINS; default: none]"),
    ],
)
def test_help_of_a_setting_has_its_facts(name: str, facts: str) -> None:
    assert describe(BY_NAME[name]) == f"{BY_NAME[name].help} {facts}"


def test_settings_of_other_groups_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PORT", "nonsense")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert read_settings(["logs"], {}).log_level == "debug"
    with pytest.raises(SettingsError, match="BROKER_PORT"):
        read_settings(["logs", "broker"], {})
