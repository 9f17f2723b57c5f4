"""Which calls these credentials may make: each is tried by itself, on a scratch key.

Asked where a call was refused, because a refusal names itself badly: S3 also says 403 where nothing
is stored and the caller may not list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from osqueue.cli.doctor.report import Finding
from osqueue.settings import Settings
from storage_adapters.contract import (
    ABSENT,
    AccessDenied,
    Match,
    ObjectStore,
    StoreError,
    Version,
)

__all__ = ["CallName", "advice_for", "judge_refusals", "refused_calls"]

CallName = Literal["write", "replace", "read", "list", "remove"]

PERMISSIONS: dict[CallName, tuple[str, str]] = {
    "write": ("s3:PutObject", "storage.objects.create"),
    "replace": ("s3:PutObject and s3:GetObject", "storage.objects.delete"),
    "read": ("s3:GetObject", "storage.objects.get"),
    "list": ("s3:ListBucket", "storage.objects.list"),
    "remove": ("s3:DeleteObject", "storage.objects.delete"),
}
"""What each call needs on S3 and on GCS, where to replace an object is to delete the old one."""


NO_CREDENTIALS = "nothing was asked of the store: docs/storage.md says where credentials come from"

NEEDED: tuple[CallName, ...] = ("write", "replace", "read")
"""Without these no broker can do anything."""


async def refused_calls(store: ObjectStore, key: str) -> dict[CallName, AccessDenied]:
    """Try each call once on `key`, which nobody else uses and which may be left behind.

    Returns: those that were refused. One that could not be tried, or failed otherwise, is not.

    Cancellation: `key` may be left behind.
    """
    scratch = _Scratch(store, key)
    calls: dict[CallName, Callable[[], Awaitable[object]]] = {
        "write": scratch.write,
        "replace": scratch.replace,
        "read": scratch.read,
        "list": lambda: store.list(key),
        "remove": lambda: store.delete(key),
    }
    refused: dict[CallName, AccessDenied] = {}
    for name, call in calls.items():
        try:
            await call()
        except AccessDenied as error:
            refused[name] = error
        except StoreError:
            # Another matter than permissions, which the rest of the examination finds.
            continue
    return refused


class _Scratch:
    """An object to try things on, once it could be written."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self._version: Version | None = None

    async def write(self) -> None:
        self._version = await self._store.put(self._key, [b"tried"], condition=ABSENT)

    async def replace(self) -> None:
        if self._version is not None:
            condition = Match(self._version)
            await self._store.put(self._key, [b"replaced"], condition=condition)

    async def read(self) -> None:
        if self._version is not None:
            await self._store.read(self._key)


def judge_refusals(
    refused: Mapping[CallName, AccessDenied], settings: Settings, *, check: str, error: AccessDenied
) -> list[Finding]:
    """What to tell of the calls that are refused.

    Args:
        check: the examination that came upon a refusal, as "queue".
        error: that refusal, with the store's words.
    """
    if {"write", "list", "remove"} <= refused.keys():
        # Not one thing is permitted: more likely these are the wrong credentials.
        advice = "nothing at all is permitted: look whose credentials these are, and what they may"
        if {str(refusal) for refusal in refused.values()} == {str(error)}:
            # The same words whatever was asked, of whichever object: it is the search for
            # credentials that says so.
            advice = NO_CREDENTIALS
        return [Finding(level="problem", check=check, message=str(error), advice=advice)]
    told = dict(refused)
    if check == "queue" and "write" in refused:
        # Nothing could be written that could be read.
        told["read"] = error
    hides_what_is_missing = check == "queue" and "read" not in told
    findings: list[Finding] = []
    for call, reason in told.items():
        is_problem = call in NEEDED or (call == "list" and hides_what_is_missing)
        findings.append(
            Finding(
                level="problem" if is_problem else "warning",
                check="permissions",
                message=f"to {call} objects is not permitted: {reason}",
                advice=advice_for(call, settings),
            )
        )
    if all(finding.level == "warning" for finding in findings):
        advice = "scratch keys may be read and written, this may not: look for a rule about its key"
        findings.append(Finding(level="problem", check=check, message=str(error), advice=advice))
    return findings


def advice_for(call: CallName, settings: Settings) -> str:
    """Which permission a call needs, and on what."""
    on_s3, on_gcs = PERMISSIONS[call]
    if settings.storage_backend == "gcs":
        return f"allow {on_gcs} on gs://{settings.gcs_bucket}, as roles/storage.objectUser does"
    place = f"arn:aws:s3:::{settings.s3_bucket}"
    if call == "list":
        return f"allow {on_s3} on {place}: without it S3 says 403 where nothing is stored"
    return f"allow {on_s3} on {place}/{settings.s3_prefix}*"
