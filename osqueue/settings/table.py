"""The table of settings: one row for each field of `Settings` and each limit.

What is built from them (stores, clocks, sockets) is built by `osqueue.cli`.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from osqueue.core.limits import Limits
from osqueue.settings.addresses import check_addresses
from osqueue.settings.buckets import check_buckets
from osqueue.settings.limit_knobs import LIMIT_KNOBS
from osqueue.settings.relations import check_relations
from osqueue.settings.rows import (
    DAY_MS,
    Knob,
    Setting,
    SettingsError,
    SettingValue,
    check_bounds,
    kind_of,
    read_value,
)

__all__ = ["SETTINGS", "Settings", "load_settings"]


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
    received_bytes_max: Annotated[
        int,
        Knob("Most memory for requests on their way in, of all.", "broker", 1024, 2**36),
    ] = 67_108_864
    allowed_origins: Annotated[
        tuple[str, ...], Knob("Web origins, beside the broker's own, that may use it.", "broker")
    ] = ()
    allowed_hosts: Annotated[
        tuple[str, ...], Knob("Host names, beside its addresses, that it answers to.", "broker")
    ] = ()
    peer_urls: Annotated[
        tuple[str, ...], Knob("URLs of all its brokers; their pages may use each other.", "broker")
    ] = ()
    storage_backend: Annotated[
        str,
        Knob("Where the queue is kept.", "storage", choices=("file", "memory", "s3", "gcs")),
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
    s3_bucket: Annotated[str, Knob("Bucket of the S3 store.", "storage")] = ""
    s3_region: Annotated[
        str,
        Knob("Its region; when empty AWS_REGION, the profile's, or learned.", "storage"),
    ] = ""
    s3_prefix: Annotated[str, Knob("What every key in that bucket begins with.", "storage")] = ""
    s3_endpoint_url: Annotated[
        str, Knob("Address of an S3-compatible store; AWS when empty.", "storage")
    ] = ""
    s3_addressing_style: Annotated[
        str,
        Knob(
            "Bucket in the path or in the host name; auto: path where an endpoint is set.",
            "storage",
            choices=("auto", "path", "virtual"),
        ),
    ] = "auto"
    s3_quoted_etags: Annotated[
        bool,
        Knob("Quotes in If-Match; no for Ceph before 18 and DigitalOcean Spaces.", "storage"),
    ] = True
    gcs_bucket: Annotated[str, Knob("Bucket of the GCS store.", "storage")] = ""
    gcs_prefix: Annotated[str, Knob("What every key in that bucket begins with.", "storage")] = ""
    storage_emulator_host: Annotated[
        str, Knob("Address of a GCS emulator, asked without credentials.", "storage")
    ] = ""
    # The names are the forerunner's, which had no budgets on GCS.
    s3_max_writes_per_minute: Annotated[
        int, Knob("Most writes a minute to S3 or GCS; 0: any number.", "storage", 0, 1_000_000)
    ] = 0
    s3_max_reads_per_minute: Annotated[
        int, Knob("Most reads a minute from S3 or GCS; 0: any number.", "storage", 0, 1_000_000)
    ] = 0
    s3_max_writes_per_day: Annotated[
        int,
        Knob(
            "Writes a UTC day to S3 or GCS that no minute bounds; 0: off.",
            "storage",
            0,
            1_000_000_000,
        ),
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
        values = {setting.name: value_of(self, setting.name) for setting in SETTINGS}
        for setting in SETTINGS:
            check_bounds(setting, values[setting.name])
        check_addresses(self)
        check_buckets(self)
        check_relations(values)


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


def value_of(settings: Settings, name: str) -> SettingValue:
    """A setting's value by its name, limits included."""
    return getattr(settings.limits if name in LIMIT_KNOBS else settings, name)


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
