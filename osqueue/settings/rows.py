"""What one setting is: its row in the table, its kind, and how its text is read and bounded."""

from enum import Enum
from typing import Literal

import msgspec

__all__ = [
    "DAY_MS",
    "Group",
    "Kind",
    "Knob",
    "Setting",
    "SettingValue",
    "SettingsError",
    "check_bounds",
    "kind_of",
    "read_value",
]

SettingValue = str | int | float | bool | tuple[str, ...]
Group = Literal["broker", "storage", "jobs", "limits", "logs", "client"]

DAY_MS = 86_400_000
YES_NO = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class SettingsError(ValueError):
    """A setting cannot be read, is out of bounds, or contradicts another, which is named too."""


class Kind(Enum):
    """What a setting's value is, and so how its text is read; the values are words for a reader."""

    TEXT = "text"
    CHOICE = "one of the choices"
    INTEGER = "a whole number"
    NUMBER = "a number"
    YES_NO = "yes or no"
    LIST = "a list separated by commas"


class Knob(msgspec.Struct, frozen=True):
    """What a field's type and default do not say about it."""

    help: str
    group: Group
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of settings."""

    name: str
    """The field of `Settings`, or of `Limits` where the group is "limits"; its unit comes last."""
    environment: str
    flag: str
    kind: Kind
    default: SettingValue
    help: str
    """One line that ends with a full stop."""
    group: Group
    minimum: int | None
    """The smallest value allowed, in the setting's own unit."""
    maximum: int | None
    choices: tuple[str, ...]


def kind_of(default: SettingValue, knob: Knob) -> Kind:
    """The kind that follows from a row's default and choices."""
    match default:
        case bool():
            return Kind.YES_NO
        case int():
            return Kind.INTEGER
        case float():
            return Kind.NUMBER
        case tuple():
            return Kind.LIST
        case str():
            return Kind.CHOICE if knob.choices else Kind.TEXT


def read_value(setting: Setting, value: SettingValue) -> SettingValue:
    """The value in the setting's own type: text is read by its kind, anything else must be of it.

    Raises:
        SettingsError: where it is not of that kind.
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            return read_text(setting.kind, text)
        except ValueError:
            raise SettingsError(
                f"{setting.environment} must be {setting.kind.value}, not {text!r}"
            ) from None
    if setting.kind is Kind.NUMBER and type(value) is int:
        return float(value)
    if type(value) is not type(setting.default):
        raise SettingsError(f"{setting.environment} must be {setting.kind.value}, not {value!r}")
    return value


def read_text(kind: Kind, text: str) -> SettingValue:
    """Read a text without surrounding space; ValueError where it is not of that kind."""
    match kind:
        case Kind.TEXT:
            return text
        case Kind.CHOICE:
            return text.lower()
        case Kind.INTEGER:
            return int(text)
        case Kind.NUMBER:
            return float(text)
        case Kind.YES_NO:
            if text.lower() not in YES_NO:
                raise ValueError(text)
            return YES_NO[text.lower()]
        case Kind.LIST:
            return tuple(item.strip() for item in text.split(",") if item.strip())


def check_bounds(setting: Setting, value: SettingValue) -> None:
    """Check one setting by its own row; SettingsError where it is out of its bounds."""
    name = setting.environment
    if setting.choices and value not in setting.choices:
        raise SettingsError(f"{name} must be {' or '.join(setting.choices)}, not {value!r}")
    if setting.minimum is None or setting.maximum is None:
        return
    assert isinstance(value, int | float), f"{name} has bounds but is no number"
    # Written so that not-a-number fails as well.
    if not setting.minimum <= value <= setting.maximum:
        raise SettingsError(
            f"{name} must be from {setting.minimum} to {setting.maximum}, not {value}"
        )
