"""Every knob of osqueue: one row each, with unit, default, bounds and one line of help.

A row is a field of `Settings`, or a limit of `core/limits.py`, with its `Knob`. From its name
follow the environment name (`lease_ms`: LEASE_MS) and the command-line flag (`--lease-ms`).
`SETTINGS` lists the rows as data, for the command line and for the tests of the documentation.

`load_settings` reads the environment and the flags. `Settings` itself checks every bound and every
relation, so that settings which contradict each other cannot exist.
"""

from osqueue.settings.addresses import advertised_address, join_address
from osqueue.settings.buckets import write_gap_ms
from osqueue.settings.relations import RELATIONS
from osqueue.settings.rows import Kind, Setting, SettingsError, SettingValue
from osqueue.settings.table import SETTINGS, Settings, load_settings

__all__ = [
    "RELATIONS",
    "SETTINGS",
    "Kind",
    "Setting",
    "SettingValue",
    "Settings",
    "SettingsError",
    "advertised_address",
    "join_address",
    "load_settings",
    "write_gap_ms",
]
