"""The command that examines a store: its help."""

from osqueue.settings import SETTINGS
from tests.cli.runner import help_of


def test_help_of_doctor_shows_the_settings_of_the_store_and_its_own() -> None:
    words = " ".join(help_of("doctor").split())
    for setting in SETTINGS:
        assert (setting.flag in words.split()) is (setting.group == "storage")
    for option in ("--jobs-per-s", "--workers", "--standbys", "--racers", "--rounds", "--json"):
        assert option in words
    assert "Exit status: 0 fine, 1 something is wrong" in words
