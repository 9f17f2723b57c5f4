"""Every knob of osqueue: one row each, with unit, default, bounds and one line of help.

A row is a field of `Settings`, or a limit of `core/limits.py`, with its `Knob`. From its name
follow the environment name (`lease_ms`: LEASE_MS) and the command-line flag (`--lease-ms`).
`SETTINGS` lists the rows as data, for the command line and for the tests of the documentation.

`load_settings` reads the environment and the flags. `Settings` itself checks every bound and every
relation, so that settings which contradict each other cannot exist. What is built from them
(stores, clocks, sockets) is built by `osqueue.cli`.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec

from osqueue.core.limits import Limits

__all__ = [
    "SETTINGS",
    "Kind",
    "Setting",
    "SettingValue",
    "Settings",
    "SettingsError",
    "advertised_address",
    "load_settings",
]

SettingValue = str | int | float | bool | tuple[str, ...]
Group = Literal["broker", "storage", "jobs", "limits", "logs", "client"]

ANY_ADDRESS = ("0.0.0.0", "::")
"""Listening addresses that mean every interface; nobody can connect to one of them."""
DAY_MS = 86_400_000
GIGABYTE = 1_073_741_824
BACKENDS_TO_COME = ("s3", "gcs")
"""Known names, so that asking for one is told from a slip of the pen."""
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


LIMIT_KNOBS: dict[str, Knob] = {
    "payload_bytes_max": Knob("Largest payload or result, as JSON.", "limits", 1, GIGABYTE),
    "frame_bytes_max": Knob("Largest frame or HTTP body, and reply.", "limits", 1024, GIGABYTE),
    "frame_requests_max": Knob("Most requests in one frame.", "limits", 1, 1_000_000),
    "list_items_max": Knob("Most items of a list in a request.", "limits", 1, 1_000_000),
    "name_bytes_max": Knob("Longest type, worker id, unique key, claim id.", "limits", 16, 65_536),
    "job_id_chars_max": Knob("Longest job id; osqueue's own have 36.", "limits", 36, 1_024),
    "lease_ms_min": Knob("Shortest lease that a claim may ask for.", "limits", 1, DAY_MS),
    "lease_ms_max": Knob("Longest lease that a claim may ask for.", "limits", 1, 30 * DAY_MS),
    "attempts_max": Knob("Largest maxAttempts that a job may ask for.", "limits", 1, 1_000_000),
    "wait_ms_max": Knob("Longest time that a claim may wait for jobs.", "limits", 0, DAY_MS),
    "claim_jobs_max": Knob("Most jobs that one claim may ask for.", "limits", 1, 1_000_000),
    # A deeper nest would end in a RecursionError of the decoder, not in a refusal.
    "depth_max": Knob("Deepest nest of a payload, result or frame.", "limits", 8, 256),
    "error_text_bytes_max": Knob("Longest error text kept with a job.", "limits", 64, 1_048_576),
    "errors_kept_max": Knob("Errors kept with a job, the newest.", "limits", 1, 100),
    "jobs_max": Knob("Most jobs in the queue, dead ones counted.", "limits", 1, 10_000_000),
    "document_bytes_max": Knob("Largest stored queue.", "limits", 65_536, 4 * GIGABYTE),
    "dead_jobs_max": Knob("Most dead letters; then submits are refused.", "limits", 1, 10_000_000),
    "client_entries_max": Knob("Most clients whose repeats are known.", "limits", 1, 1_000_000),
}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked: each within its bounds, and no two against each other.

    Raises:
        SettingsError: on construction (`msgspec.structs.replace` included), naming what is wrong.
    """

    broker_host: Annotated[str, Knob("Address to listen on.", "broker")] = "127.0.0.1"
    broker_port: Annotated[
        int, Knob("Port to listen on; 0 takes a free one.", "broker", 0, 65_535)
    ] = 8_080
    broker_advertised_address: Annotated[
        str, Knob("HOST:PORT that others reach this broker at; derived when empty.", "broker")
    ] = ""
    broker_heartbeat_interval_ms: Annotated[
        int, Knob("How often an idle leader writes to keep the lead.", "broker", 10, DAY_MS)
    ] = 3_000
    broker_heartbeat_timeout_ms: Annotated[
        int, Knob("Silence after which a standby takes over.", "broker", 30, DAY_MS)
    ] = 10_000
    group_commit_interval_ms: Annotated[
        int, Knob("Shortest time between the starts of two writes; 0: none.", "broker", 0, DAY_MS)
    ] = 0
    # Less than the ten seconds that container engines wait before they kill.
    drain_timeout_ms: Annotated[
        int, Knob("How long a stopping broker settles what is under way.", "broker", 0, DAY_MS)
    ] = 8_000
    write_deadline_ms: Annotated[
        int, Knob("How long a client may leave its reply unread.", "broker", 100, DAY_MS)
    ] = 5_000
    allowed_origins: Annotated[
        tuple[str, ...], Knob("Web origins, beside the broker's own, that may use it.", "broker")
    ] = ()
    allowed_hosts: Annotated[
        tuple[str, ...], Knob("Host names, beside its addresses, that it answers to.", "broker")
    ] = ()
    storage_backend: Annotated[
        str, Knob("Where the queue is kept.", "storage", choices=("file", "memory"))
    ] = "file"
    file_directory: Annotated[str, Knob("Directory of the file store.", "storage")] = (
        "./osqueue-data"
    )
    file_force_network: Annotated[
        bool, Knob("Use a directory on a network file system all the same.", "storage")
    ] = False
    memory_latency_ms: Annotated[
        int, Knob("Delay of the memory store, to try it as slow as a bucket.", "storage", 0, 60_000)
    ] = 0
    lease_ms: Annotated[
        int, Knob("How long a worker holds a job without a heartbeat.", "jobs", 1, 30 * DAY_MS)
    ] = 30_000
    max_attempts: Annotated[
        int, Knob("Attempts of a job before it becomes a dead letter.", "jobs", 1, 1_000_000)
    ] = 3
    retry_base_ms: Annotated[
        int, Knob("Longest delay before the second attempt.", "jobs", 0, 365 * DAY_MS)
    ] = 1_000
    retry_factor: Annotated[
        float, Knob("Growth of that delay with each further attempt.", "jobs", 1, 1_000)
    ] = 2.0
    retry_cap_ms: Annotated[
        int, Knob("Longest delay before any attempt.", "jobs", 0, 365 * DAY_MS)
    ] = 600_000
    log_format: Annotated[
        str,
        Knob(
            "Form of the log; auto: text on a terminal, else JSON.",
            "logs",
            choices=("auto", "json", "text"),
        ),
    ] = "auto"
    log_level: Annotated[
        str,
        Knob(
            "Least important log lines shown.",
            "logs",
            choices=("debug", "info", "warning", "error"),
        ),
    ] = "info"
    broker_url: Annotated[
        tuple[str, ...], Knob("Brokers that clients ask, tried in this order.", "client")
    ] = ("http://127.0.0.1:8080",)
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        for setting in SETTINGS:
            check_bounds(setting, value_of(self, setting.name))
        check_addresses(self)
        check_relations(self)


def load_settings(
    environment: Mapping[str, str], overrides: Mapping[str, SettingValue | None] | None = None
) -> Settings:
    """Read the settings; flags win over the environment, the environment over the defaults.

    Args:
        environment: names and texts as in `os.environ`; unknown names and empty texts are ignored.
        overrides: what the command line gave, by setting name (`lease_ms`), as text or as the
            value itself; None is not given.

    Raises:
        SettingsError: names the setting, what it was given, and what would be allowed.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    unknown = given.keys() - {setting.name for setting in SETTINGS}
    if unknown:
        raise SettingsError(f"no such setting: {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.name in given:
            values[setting.name] = read_value(setting, given[setting.name])
        elif text := environment.get(setting.environment, "").strip():
            values[setting.name] = read_value(setting, text)
    limits = {name: values.pop(name) for name in LIMIT_KNOBS if name in values}
    return Settings(**values, limits=Limits(**limits))


def advertised_address(settings: Settings, *, host_name: str, port: int) -> str:
    """The HOST:PORT that others are told: the one that was set, or else derived.

    Args:
        host_name: this machine's name, put in the place of an address that means every interface.
        port: the one that is really bound, which differs from the setting where that is 0.
    """
    if settings.broker_advertised_address:
        return settings.broker_advertised_address
    host = host_name if settings.broker_host in ANY_ADDRESS else settings.broker_host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
    if name == "STORAGE_BACKEND" and value in BACKENDS_TO_COME:
        raise SettingsError(f"{name} {value} comes in a later version; use file or memory")
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


def check_addresses(settings: Settings) -> None:
    """Check host names, origins and addresses; SettingsError names the first that is wrong."""
    host = settings.broker_host
    if not host or any(character in host for character in "/[]@ ") or host.count(":") == 1:
        raise SettingsError(
            f"BROKER_HOST must be a host name or address without port or brackets, not {host!r}"
        )
    advertised = settings.broker_advertised_address
    if advertised and not is_host_and_port(advertised):
        raise SettingsError(
            "BROKER_ADVERTISED_ADDRESS must be HOST:PORT that others can connect to,"
            f" not {advertised!r}"
        )
    for origin in settings.allowed_origins:
        # No wildcard: it would let any page that the user visits command the queue.
        if not is_web_address(origin, with_path=False):
            raise SettingsError(
                f"ALLOWED_ORIGINS must be origins as https://example.org, not {origin!r}"
            )
    for name in settings.allowed_hosts:
        if any(character in name for character in "/*@ "):
            raise SettingsError(f"ALLOWED_HOSTS must be host names, not {name!r}")
    if not settings.broker_url:
        raise SettingsError("BROKER_URL must name at least one address")
    for address in settings.broker_url:
        if not is_web_address(address, with_path=True):
            raise SettingsError(
                f"BROKER_URL must be addresses as http://127.0.0.1:8080, not {address!r}"
            )


def is_web_address(text: str, *, with_path: bool) -> bool:
    """Whether it is http(s)://HOST[:PORT], with a path only where that is allowed."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or " " in text)
    return (
        parts.scheme in ("http", "https")
        and has_host
        and plain
        and (with_path or not parts.path)
        and "*" not in parts.netloc
    )


def is_host_and_port(text: str) -> bool:
    """Whether it is HOST:PORT of one machine: no address that means every interface."""
    try:
        parts = urlsplit(f"//{text}")
        return (
            parts.netloc == text and bool(parts.port) and parts.hostname not in ("", *ANY_ADDRESS)
        )
    except ValueError:
        return False


def check_relations(settings: Settings) -> None:
    """Check the settings against each other.

    Raises:
        SettingsError: names the two settings with their values, and the most or least allowed.
    """
    for smaller, factor, larger, reason in RELATIONS:
        smaller_value, larger_value = value_of(settings, smaller), value_of(settings, larger)
        assert isinstance(smaller_value, int), f"{smaller} is no whole number"
        assert isinstance(larger_value, int), f"{larger} is no whole number"
        if smaller_value * factor > larger_value:
            times = f"{factor} times " if factor > 1 else ""
            raise SettingsError(
                f"{larger.upper()} ({larger_value}) must be at least {times}{smaller.upper()}"
                f" ({smaller_value}), that is {smaller_value * factor}: {reason}"
            )


RELATIONS: tuple[tuple[str, int, str, str], ...] = (
    (
        "broker_heartbeat_interval_ms",
        3,
        "broker_heartbeat_timeout_ms",
        "one lost heartbeat must not cost the lead",
    ),
    ("broker_heartbeat_timeout_ms", 2, "lease_ms", "workers keep their jobs through a takeover"),
    # A heartbeat is a write that carries whatever waits.
    ("group_commit_interval_ms", 1, "broker_heartbeat_interval_ms", "a longer one has no effect"),
    ("write_deadline_ms", 1, "drain_timeout_ms", "a stuck client must not hold up a stop"),
    ("retry_base_ms", 1, "retry_cap_ms", "the cap holds for the first delay too"),
    ("lease_ms_min", 1, "lease_ms", "a claim that names no lease must be allowed"),
    ("lease_ms", 1, "lease_ms_max", "a claim that names no lease must be allowed"),
    ("max_attempts", 1, "attempts_max", "a job that names no attempts must be allowed"),
    ("payload_bytes_max", 2, "frame_bytes_max", "one reply carries payload and result"),
    ("payload_bytes_max", 2, "document_bytes_max", "the queue must hold payload and result"),
)
"""Each row: (smaller, factor, larger, why); factor times the smaller must not exceed the larger."""


def value_of(settings: Settings, name: str) -> SettingValue:
    """A setting's value by its name, limits included."""
    return getattr(settings.limits if name in LIMIT_KNOBS else settings, name)


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


def rows() -> Iterator[Setting]:
    """The table: the fields of `Settings` in their order, then the limits."""
    hints = get_type_hints(Settings, include_extras=True)
    knobs = {
        name: get_args(hint)[1] for name, hint in hints.items() if get_origin(hint) is Annotated
    }
    fields = (*msgspec.structs.fields(Settings), *msgspec.structs.fields(Limits))
    for field in fields:
        if field.name == "limits":
            continue
        knob: Knob = (knobs | LIMIT_KNOBS)[field.name]
        yield Setting(
            name=field.name,
            environment=field.name.upper(),
            flag="--" + field.name.replace("_", "-"),
            kind=kind_of(field.default, knob),
            default=field.default,
            help=knob.help,
            group=knob.group,
            minimum=knob.minimum,
            maximum=knob.maximum,
            choices=knob.choices,
        )


SETTINGS: tuple[Setting, ...] = tuple(rows())
"""Every setting, in the order in which `--help` and docs/operations.md list them."""
