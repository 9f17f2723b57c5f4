"""Opens the store that a URL names, loading only the adapter that is asked for.

No adapter is imported before it is needed: a broker on files loads no HTTP client. Called by the
command line, and by the client when it looks for the broker in the store.

A bucket's URL and a broker's settings lead to the same two functions, `open_s3` and `open_gcs`.
Of the environment they take what every tool of the provider takes: credentials, AWS_REGION, and
STORAGE_EMULATOR_HOST.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from storage_adapters.contract import ObjectStore, StoreMisconfigured

if TYPE_CHECKING:
    from storage_adapters.credentials.refreshing import FailedRenewal

__all__ = ["open_gcs", "open_s3", "open_store"]

_AWS_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_EMULATOR_HOST = "STORAGE_EMULATOR_HOST"
_YES_NO = {"yes": True, "no": False}


def open_store(
    url: str,
    *,
    force_network: bool = False,
    environment: Mapping[str, str] | None = None,
) -> ObjectStore:
    """Open the store that `url` names. Contacts nothing and creates nothing yet.

    Args:
        url: "memory:", "memory:?latency_ms=40", "file:./osqueue-data" or "file:///var/lib/queue",
            where what follows "file:" is the path as it is, with no escapes and no parameters;
            "s3://BUCKET/PREFIX" with the parameters region, endpoint_url, addressing_style (auto,
            path, virtual) and quoted_etags (yes, no); "gs://BUCKET/PREFIX" with endpoint_url. The
            prefix is put before each key as it is: end it with a slash.
        force_network: let the file store use a network file system.
        environment: where buckets find credentials; by default that of the process.

    Raises:
        StoreMisconfigured: the URL names no store that can be opened, or the file store refuses
            its directory.
    """
    scheme, separator, rest = url.partition(":")
    environment = os.environ if environment is None else environment
    match scheme if separator else "":
        case "memory":
            return _open_memory(url, rest=rest)
        case "file":
            return _open_file(url, rest=rest, force_network=force_network)
        case "s3":
            return _open_s3_url(url, rest=rest, environment=environment)
        case "gs":
            return _open_gcs_url(url, rest=rest, environment=environment)
        case _:
            raise StoreMisconfigured(
                "a store is named by a URL that begins with memory:, file:, s3: or gs:; "
                f"correct it: {url!r}"
            )


def wall_clock_ms() -> int:
    """The wall clock of this machine, ms since the epoch."""
    return time.time_ns() // 1_000_000


def open_s3(
    bucket: str,
    *,
    environment: Mapping[str, str],
    prefix: str = "",
    region: str = "",
    endpoint_url: str = "",
    addressing_style: str = "auto",
    quotes_etags: bool = True,
    now_ms: Callable[[], int] = wall_clock_ms,
    on_failed_renewal: FailedRenewal | None = None,
) -> ObjectStore:
    """Open a bucket of S3, or of a store that speaks like it.

    Args:
        environment: where credentials are found, and the region where none is given: AWS_REGION,
            AWS_DEFAULT_REGION, or that of the profile, which is read before the first request.
            Without one it is learned from the store's first answer.
        now_ms: the wall clock, ms since the epoch.
        on_failed_renewal: is told of credentials that could not be renewed ahead of their end.
        prefix, endpoint_url, addressing_style, quotes_etags: see `S3Dialect`.

    Raises:
        StoreMisconfigured: one of them cannot be right.
    """
    from storage_adapters.credentials.aws.opening import aws_credentials
    from storage_adapters.credentials.aws.profiles import region_of_profile
    from storage_adapters.http_store import HttpStore
    from storage_adapters.s3 import S3Dialect, addressing_style_of

    named = (environment.get(name, "").strip() for name in _AWS_REGIONS)
    region = region or next(filter(None, named), "")
    home = _home_of(environment)
    dialect = S3Dialect(
        bucket,
        prefix,
        region=region or "us-east-1",
        endpoint_url=endpoint_url,
        addressing_style=addressing_style_of(addressing_style),
        quotes_etags=quotes_etags,
    )
    credentials = aws_credentials(
        environment, home=home, now_ms=now_ms, on_failed_renewal=on_failed_renewal
    )

    async def in_region_of_profile() -> S3Dialect:
        found = await region_of_profile(environment, home=home)
        return replace(dialect, region=found) if found else dialect

    find_dialect = None if region else in_region_of_profile
    return HttpStore(dialect, credentials, now_ms=now_ms, find_dialect=find_dialect)


def open_gcs(
    bucket: str,
    *,
    environment: Mapping[str, str],
    prefix: str = "",
    endpoint_url: str = "",
    now_ms: Callable[[], int] = wall_clock_ms,
    on_failed_renewal: FailedRenewal | None = None,
) -> ObjectStore:
    """Open a bucket of Google Cloud Storage, or of the emulator at STORAGE_EMULATOR_HOST.

    Args:
        environment: where credentials are found, and the emulator. HMAC keys in it are used in the
            XML API, everything else in the JSON API.
        now_ms: the wall clock, ms since the epoch.
        on_failed_renewal: is told of credentials that could not be renewed ahead of their end.
        prefix, endpoint_url: see `GcsDialect`.

    Raises:
        StoreMisconfigured: one of them cannot be right.
    """
    from storage_adapters.credentials.google.hmac_keys import has_hmac_key
    from storage_adapters.credentials.google.opening import google_credentials
    from storage_adapters.gcs import GcsDialect
    from storage_adapters.gcs_xml import GcsXmlDialect
    from storage_adapters.http_store import HttpStore

    emulator = environment.get(_EMULATOR_HOST, "").strip()
    if emulator and "://" not in emulator:
        emulator = f"http://{emulator}"
    speaks_xml = not emulator and has_hmac_key(environment)
    dialect_kind = GcsXmlDialect if speaks_xml else GcsDialect
    dialect = dialect_kind(bucket, prefix, endpoint_url=endpoint_url or emulator)
    credentials = google_credentials(
        environment, home=_home_of(environment), now_ms=now_ms, on_failed_renewal=on_failed_renewal
    )
    return HttpStore(dialect, credentials, now_ms=now_ms)


def _home_of(environment: Mapping[str, str]) -> Path:
    """Where the tools of the providers keep their files, for whoever may have no home at all."""
    named = environment.get("HOME")
    try:
        return Path(named) if named else Path.home()
    except RuntimeError:
        # In a container, under a number that stands for no user.
        return Path("/")


def _open_s3_url(url: str, *, rest: str, environment: Mapping[str, str]) -> ObjectStore:
    bucket, prefix, parameters = _parts_of(url, rest)
    quoted = parameters.pop("quoted_etags", "yes")
    known = ("region", "endpoint_url", "addressing_style")
    if quoted not in _YES_NO or not parameters.keys() <= {*known}:
        raise StoreMisconfigured(
            f"an s3: URL takes the parameters {', '.join(known)} and quoted_etags (yes or no); "
            f"correct it: {url!r}"
        )
    return open_s3(
        bucket,
        environment=environment,
        prefix=prefix,
        region=parameters.get("region", ""),
        endpoint_url=parameters.get("endpoint_url", ""),
        addressing_style=parameters.get("addressing_style", "auto"),
        quotes_etags=_YES_NO[quoted],
    )


def _open_gcs_url(url: str, *, rest: str, environment: Mapping[str, str]) -> ObjectStore:
    bucket, prefix, parameters = _parts_of(url, rest)
    endpoint_url = parameters.pop("endpoint_url", "")
    if parameters:
        raise StoreMisconfigured(
            f"a gs: URL takes the parameter endpoint_url only; correct it: {url!r}"
        )
    return open_gcs(bucket, environment=environment, prefix=prefix, endpoint_url=endpoint_url)


def _parts_of(url: str, rest: str) -> tuple[str, str, dict[str, str]]:
    """Bucket, prefix and parameters of a bucket's URL."""
    place, _, query = rest.partition("?")
    if not place.startswith("//") or "#" in rest:
        raise StoreMisconfigured(
            f"a bucket's URL is as s3://BUCKET/PREFIX or gs://BUCKET/PREFIX; correct it: {url!r}"
        )
    bucket, _, prefix = place[2:].partition("/")
    return bucket, unquote(prefix), dict(parse_qsl(query, keep_blank_values=True))


def _open_memory(url: str, *, rest: str) -> ObjectStore:
    from storage_adapters.memory import MemoryStore

    before_query, _, query = rest.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    latency_ms = parameters.pop("latency_ms", "0")
    if before_query or parameters:
        raise StoreMisconfigured(f"a memory store takes latency_ms only; correct it: {url!r}")
    if not (latency_ms.isascii() and latency_ms.isdecimal()):
        raise StoreMisconfigured(
            f"latency_ms must be a whole number of milliseconds, 0 or more; correct it: {url!r}"
        )
    return MemoryStore(latency_ms=int(latency_ms))


def _open_file(url: str, *, rest: str, force_network: bool) -> ObjectStore:
    from storage_adapters.file.store import FileStore

    directory = rest
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost") or not slash:
            raise StoreMisconfigured(
                "a file store is on this machine: write file:./relative or file:///absolute; "
                f"correct it: {url!r}"
            )
        directory = f"/{path}"
    if not directory or "\0" in directory:
        raise StoreMisconfigured(f"a file store needs a directory; correct it: {url!r}")
    return FileStore(directory, force_network=force_network)
