"""What every object store promises: the words that adapters and their callers share.

Here live the `ObjectStore` protocol, versions, conditions and the `StoreError` family. No adapter
lives here, nothing is opened, nothing waits. The broker imports this module and no other of the
package; the adapters implement it; `tests/storage_adapters/contract.py` checks each promise on
each of them.

The promises, for one key:

- An object is replaced whole. No reader ever sees a part of one put and a part of another.
- A put is compared and applied in one step: of any number of puts under the same condition, from
  any number of processes, at most one is applied.
- A read that starts after a put has ended sees that put, or a later one.
- A version is opaque. Two of them are compared for equality, never ordered. The version of a key
  changes with each put and never comes back, not even with the same bytes (A, B, A), and not
  after a delete. A bucket may name a version after the bytes alone (S3 does) and then keeps this
  only for bodies that differ: whoever relies on it puts a unique id into each body.
- One call is one attempt. An adapter classifies what happened and never retries: whether the same
  bytes may be sent again is decided by the caller, in one place.
- Only `NotApplied` promises that an attempt to write changed nothing and never will: it was never
  sent. Whatever was answered may be the answer to a second copy, where something on the way sends
  writes twice: a conflict, a refusal and a missing permission are open until a read has told.
- An answer that does not look like the store's own says nothing: of a write `WriteOutcomeUnknown`,
  of a read `StoreUnavailable`. So does an object whose checksum or length is not its own.

The errors, each with the advice for its catcher:

    StoreError
      ObjectMissing         nothing is stored under the key
      VersionConflict       the condition does not hold: another put came first
      NotApplied            the attempt surely changed nothing: it was never sent
      WriteOutcomeUnknown   the write may have been applied, or may still be
      AccessDenied          credentials or permissions are missing
      StoreMisconfigured    a setting is wrong: no repetition will help
      StoreUnavailable      a read got no answer

What is not a `StoreError` is a bug or the end of the process, and is not to be caught.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, NewType, Protocol

__all__ = [
    "ABSENT",
    "KEY_BYTES_MAX",
    "UNCHANGED",
    "Absent",
    "AccessDenied",
    "Condition",
    "Match",
    "NotApplied",
    "ObjectMissing",
    "ObjectStore",
    "ObjectVanished",
    "StoreError",
    "StoreMisconfigured",
    "StoreUnavailable",
    "StoredObject",
    "Unchanged",
    "Version",
    "VersionConflict",
    "WriteOutcomeUnknown",
    "check_key",
    "missing_object",
    "refusal_of_condition",
]

KEY_BYTES_MAX = 1024
"""Longest key in UTF-8 bytes: the limit of S3 and of GCS."""

Version = NewType("Version", str)
"""Names one put of one key. Opaque: made by the store, compared for equality only."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Condition of a put: nothing is stored under the key."""


@dataclass(frozen=True, slots=True)
class Match:
    """Condition of a put: the object still has this version."""

    version: Version
    """The version that a read or a put gave."""


Condition = Absent | Match
"""Under what condition a put may be applied. There is no unconditional put."""

ABSENT = Absent()
"""The condition that all creations share."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Answer of a conditional read: the object still has the version that the caller knows."""


UNCHANGED = Unchanged()
"""The answer that all such reads share."""


class StoredObject(NamedTuple):
    """What a read found: bytes and version belong together."""

    data: bytes
    """The whole object, or its first bytes where the caller asked for a head."""
    version: Version
    """The version of the whole object, also where only the head was read."""


class StoreError(Exception):
    """A store refused, failed or did not answer. The class says what the caller should do."""

    advice: ClassVar[str] = "read the message"
    """What the catcher should do, in a few words."""
    needs_operator: ClassVar[bool] = False
    """Whether no repetition will help, before somebody mends permissions or settings."""


class ObjectMissing(StoreError):
    """Nothing is stored under the key."""

    advice = "create the object, or find out who removed it"


class ObjectVanished(ObjectMissing):
    """Nothing is stored under the key any more, and nobody removed it through the store.

    Raised by reads alone, of stores that can tell; the message says by what. Buckets cannot.
    """

    advice = "restore the object, or tell the store that it is to begin anew"


class VersionConflict(StoreError):
    """The condition of a put does not hold: another put came first, or a copy of this one."""

    advice = "load the object and decide again"


class NotApplied(StoreError):
    """This attempt surely changed nothing, and never will: it was never sent."""

    advice = "back off and send the same bytes again"


class WriteOutcomeUnknown(StoreError):
    """The write may have been applied, or may still be applied after this error."""

    advice = "load the object and look for this write"


class AccessDenied(StoreError):
    """The store knows the caller too little: credentials or permissions."""

    advice = "fix the credentials or permissions"
    needs_operator = True


class StoreMisconfigured(StoreError):
    """A setting is wrong, so that no attempt can succeed."""

    advice = "fix the settings"
    needs_operator = True


class StoreUnavailable(StoreError):
    """A read or a listing got no usable answer."""

    advice = "retry later"


class ObjectStore(Protocol):
    """A place for objects, each under a key, each with a version.

    Keys are checked by `check_key`; every method raises `StoreMisconfigured` for one that fails.
    All methods may be called concurrently by the tasks of one Trio run.
    """

    @property
    def description(self) -> str:
        """Names the store for a person, as in "file store at ./osqueue-data"."""
        ...

    @property
    def clock_offset_ms(self) -> int | None:
        """The lead of the store's clock over this machine's wall clock now, negative: behind.

        As its last answer told, to about a second, and counted on since by steady time: a wall
        clock that was set meanwhile shows at once. None where the store has no clock of its own, or
        before its first answer.
        """
        ...

    async def read(
        self,
        key: str,
        *,
        if_changed_from: Version | None = None,
        head_bytes: int | None = None,
    ) -> StoredObject | Unchanged:
        """Read the object under `key`.

        Args:
            if_changed_from: answer `Unchanged`, without transferring the object, where it still
                has this version.
            head_bytes: read at most this many bytes from its beginning, 1 or more.

        Raises:
            ObjectMissing: nothing is stored under the key; `ObjectVanished` where the store knows
                that somebody removed it past the store.
            AccessDenied, StoreMisconfigured: an operator has to act.
            StoreUnavailable: no usable answer.

        Cancellation: the read is given up at once and has no effect.
        """
        ...

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        """Store the concatenation of `chunks` under `key` if `condition` holds. Durable on return.

        Args:
            chunks: the body in order. May be empty, may hold empty ones; not changed meanwhile.
            metadata: notes for whoever looks at the bucket. A store without a place for them
                drops them, and no promise rests on them.

        Returns: the new version of the object.

        Raises:
            VersionConflict: under `Absent`, the object exists; under `Match`, it has another
                version, or nothing is stored and the store does not tell that apart (GCS, and
                some that speak like S3).
            ObjectMissing: under `Match`, nothing is stored under the key.
            NotApplied: nothing was changed.
            AccessDenied, StoreMisconfigured: an operator has to act.
            WriteOutcomeUnknown: the put may have been applied, or may still be.

        Cancellation: like `WriteOutcomeUnknown`: the object is the old or the new one, whole.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the object under `key`. A missing one is no error.

        Raises:
            NotApplied: nothing was changed.
            AccessDenied, StoreMisconfigured: an operator has to act.
            WriteOutcomeUnknown: it may have been removed, or may still be; repeating is harmless.

        Cancellation: like `WriteOutcomeUnknown`.
        """
        ...

    async def list(self, prefix: str) -> list[str]:
        """Name all keys that begin with `prefix`, which may be empty and may end inside a name.

        Returns: the keys in ascending order of their UTF-8 bytes; may be empty.

        Raises:
            AccessDenied, StoreMisconfigured: an operator has to act.
            StoreUnavailable: no usable answer.

        Cancellation: the listing is given up at once and has no effect.
        """
        ...

    async def aclose(self) -> None:
        """Release connections and the like. The store is not used afterwards; twice is harmless.

        Raises: nothing.

        Cancellation: everything is released all the same.
        """
        ...


def check_key(key: str) -> None:
    """Refuse a key that some adapter could not keep apart from others, or inside its place.

    Keys are parts joined by "/". No part is empty, "." or "..", none holds a backslash or a NUL.

    Raises:
        StoreMisconfigured: keys are made of a prefix that an operator chose.
    """
    if not key:
        raise StoreMisconfigured("a key must not be empty; check the prefix of the store")
    for part in key.split("/"):
        if part in ("", ".", "..") or "\\" in part or "\0" in part:
            raise StoreMisconfigured(
                "a key must be made of plain names joined by single slashes; "
                f"check the prefix of the store: {key!r}"
            )
    try:
        encoded = key.encode()
    except UnicodeEncodeError as error:
        raise StoreMisconfigured(f"a key must be valid Unicode: {key!r}") from error
    if len(encoded) > KEY_BYTES_MAX:
        raise StoreMisconfigured(
            f"a key must not be longer than {KEY_BYTES_MAX} bytes; "
            f"shorten the prefix of the store: {key[:80]!r}..."
        )


def refusal_of_condition(
    key: str, condition: Condition, *, found: Version | None
) -> VersionConflict | ObjectMissing | None:
    """Judge `condition` against what is stored: for adapters that compare by themselves.

    Args:
        found: the version of the object now, None where nothing is stored.

    Returns: the error to raise, None where the put may be applied.
    """
    if isinstance(condition, Absent):
        if found is None:
            return None
        return VersionConflict(f"an object exists already; load it and decide again: {key}")
    if found is None:
        return missing_object(key)
    if found == condition.version:
        return None
    return VersionConflict(
        f"another put came first and changed the object; load it and decide again: {key}"
    )


def missing_object(key: str) -> ObjectMissing:
    """Make the error that says that nothing is stored under `key`."""
    return ObjectMissing(
        f"nothing is stored under the key; create it, or find out who removed it: {key}"
    )
