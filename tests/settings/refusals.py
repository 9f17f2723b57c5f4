"""What the settings say when they refuse."""

import pytest

from osqueue.settings import SettingsError, load_settings


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    return str(caught.value)
