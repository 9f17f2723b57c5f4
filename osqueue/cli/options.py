"""Command-line options: one for each row of the table of settings, made from that row."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import click

from osqueue.core.job import STATUSES
from osqueue.settings import SETTINGS, Kind, Setting, Settings, SettingValue, load_settings

__all__ = [
    "SectionedCommand",
    "confirm_option",
    "json_logs_option",
    "json_option",
    "read_settings",
    "selection_options",
    "setting_options",
    "url_options",
]

CallableT = TypeVar("CallableT", bound=Callable[..., Any])

SECTIONS = {
    "broker": "Broker",
    "storage": "Storage",
    "jobs": "Jobs",
    "logs": "Logs",
    "limits": "Limits",
}
"""The groups of settings as `--help` calls them, in its order."""
TIMEOUT_S = 10.0
TIMEOUT_S_MAX = 300.0

METAVARS = {Kind.INTEGER: "N", Kind.NUMBER: "X", Kind.LIST: "A,B", Kind.TEXT: "TEXT"}


class SettingOption(click.Option):
    """The flag of one setting.

    It passes on what was typed: reading and checking text is the settings' own business, so that
    flags and environment are refused in the same words.
    """

    def __init__(
        self,
        param_decls: Sequence[str],
        *,
        setting: Setting,
        **attributes: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(param_decls, help=describe(setting), default=None, **attributes)
        self.setting = setting


class SectionedCommand(click.Command):
    """A command whose help lists the settings by their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups of settings, then the other options."""
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in SECTIONS.values()}
        sections["Options"] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_setting = isinstance(parameter, SettingOption)
                title = SECTIONS[parameter.setting.group] if is_setting else "Options"
                sections[title].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def describe(setting: Setting) -> str:
    """The help of one setting: what it is, its environment name, default and bounds."""
    default = setting.default
    if isinstance(default, tuple):
        default = ",".join(default)
    if isinstance(default, bool):
        default = "yes" if default else "no"
    facts = [setting.environment, f"default {default}" if default != "" else "default: none"]
    if setting.minimum is not None:
        facts.append(f"{setting.minimum} to {setting.maximum}")
    return f"{setting.help} [{'; '.join(facts)}]"


def setting_options(*groups: str) -> Callable[[CallableT], CallableT]:
    """Give a command the flags of these groups of settings."""

    def decorate(function: CallableT) -> CallableT:
        # click lists parameters in the reverse order of their decorators.
        for setting in reversed(SETTINGS):
            if setting.group in groups:
                function = setting_option(setting)(function)
        return function

    return decorate


def setting_option(setting: Setting) -> Callable[[CallableT], CallableT]:
    """The flag of one setting, as a decorator."""
    if setting.kind is Kind.YES_NO:
        flags = f"{setting.flag}/--no-{setting.flag.removeprefix('--')}"
        return click.option(flags, setting.name, cls=SettingOption, setting=setting)
    metavar = "|".join(setting.choices) or METAVARS[setting.kind]
    return click.option(
        setting.flag, setting.name, cls=SettingOption, setting=setting, metavar=metavar, type=str
    )


def read_settings(groups: Collection[str], flags: Mapping[str, SettingValue | None]) -> Settings:
    """Read the settings of these groups; the others keep their defaults.

    A broker does not care what BROKER_URL says, and a client not what the broker's settings say.

    Raises:
        SettingsError: one is wrong.
    """
    ours = {setting.environment for setting in SETTINGS if setting.group in groups}
    environment = {name: text for name, text in os.environ.items() if name in ours}
    return load_settings(environment, flags)


def url_options(*, with_timeout: bool = True) -> Callable[[CallableT], CallableT]:
    """The options of everything that asks a broker."""
    url = click.option(
        "--url",
        "--broker-url",
        "url",
        envvar="BROKER_URL",
        metavar="URL",
        help=(
            "The broker, several separated by commas, or the store's URL such as"
            " file:./osqueue-data, where the leader is looked up."
            "  [BROKER_URL; default http://127.0.0.1:8080]"
        ),
    )
    timeout = click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(0, TIMEOUT_S_MAX, min_open=True),
        default=TIMEOUT_S,
        show_default=True,
        metavar="SECONDS",
        help="How long to look for a leading broker and repeat the call.",
    )

    def decorate(function: CallableT) -> CallableT:
        return url(timeout(function) if with_timeout else function)

    return decorate


def selection_options(function: CallableT) -> CallableT:
    """The arguments and options that say which jobs are meant."""
    decorators = (
        click.argument("job_ids", metavar="[ID]...", nargs=-1),
        click.option("--status", type=click.Choice(STATUSES), help="Jobs of this status."),
        click.option("--type", metavar="TYPE", help="Jobs of this type."),
        click.option("--text", metavar="TEXT", help="Jobs that hold this text somewhere."),
        click.option("--error-type", metavar="TYPE", help="Jobs whose newest error has this type."),
        click.option("--error-message", metavar="LINE", help="Jobs whose newest error says this."),
        click.option("--all", "everything", is_flag=True, help="All jobs."),
        click.option(
            "--limit", type=click.IntRange(min=1), metavar="N", help="At most so many jobs."
        ),
        click.option("--dry-run", is_flag=True, help="Change nothing, only say how many."),
        click.option("--yes", is_flag=True, help="Do not ask before many jobs are changed."),
    )
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


confirm_option = click.option(
    "--confirm",
    is_flag=True,
    help="Let the leader answer with a write to the store, not from its memory.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, in the shapes of the wire protocol."
)
json_logs_option = click.option(
    "--json", "json_logs", is_flag=True, help="The same as --log-format json."
)
