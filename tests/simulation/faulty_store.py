"""A store with one object and every fault that a bucket has shown; it keeps all versions.

It keeps the contract of `storage_adapters/contract.py`: an attempt that was never sent never lands;
a read that starts after a write has ended sees it. Everything else may happen: late, twice, without
an answer, with the answer to another copy, or of somebody who is not the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.cast.brokers import Site
from tests.simulation.cast.processes import Process
from tests.simulation.intermediaries import REFUSALS_OF_COPIES, Intermediaries

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["FaultyStore"]

Done = Callable[..., None]

_WRITE_FAULTS = (
    "write refused before",
    "write applied, reply lost",
    "write lands late",
    "write never lands",
    "write throttled",
    "write sent twice below",
    "write slow",
    "write answered by others",
    "writer frozen before the lock",
    "writer frozen with the lock",
)
_KEPT_OUT = ("write refused before", "write collides", "write throttled", "write never lands")


class FaultyStore:
    """The one object, and the road to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.body: bytes | None = None
        self.version: str | None = None
        self._puts = 0
        self._bodies: list[bytes] = []
        """Of all versions, oldest first."""
        self._lock_holder: Process | None = None
        """A writer that stands still between comparing and renaming, as on the file store."""
        self._late_count = 0
        """Writes under way whose writers have been told that their outcome is unknown."""
        self._outages: dict[Site | None, tuple[int, str]] = {}
        """Until when, and how, the store is out of reach: for one site, or for all."""
        self._road = Intermediaries(world.random, is_s3=world.plan.versions_name_bytes)

    # Writes. `done` is told `succeeded` with a version, `not applied`, `conflicted`, or `unknown`.

    def put(
        self,
        process: Process,
        chunks: Sequence[bytes],
        base_version: str | None,
        *,
        site: Site,
        done: Done,
    ) -> None:
        """One attempt, as the shell of a broker makes it."""
        world = self.world
        body = b"".join(chunks)
        world.observer.put_sent(process, body)
        if world.strikes("writer suspended"):
            process.pause(self._pause_ms())
        outage = self._outage(site)
        fault = outage or next((name for name in _WRITE_FAULTS if world.strikes(name)), "")
        if self._late_count and not outage and world.strikes("write refused behind another"):
            # As S3 does while another conditional write of the object is under way; or what holds
            # that one takes no further connection.
            fault = world.random.choice(["write collides", "write refused before"])
        travel = self._latency()
        answer = (process, done, self._latency())
        match fault:
            case "write refused before":
                world.after(travel, process, done, "not applied")
            case "write collides":
                world.after(travel, process, done, *self._road.refuse_write(409, base_version))
            case "write throttled":
                status = world.random.choice([429, 503])
                world.after(travel, process, done, *self._road.refuse_write(status, base_version))
            case "write answered by others":
                if world.random.random() < 0.5:
                    world.after(travel, None, self._land, body, base_version, None)
                told = self._road.answer_write(base_version)
                world.after(2 * travel, process, done, *told)
            case "write never lands":
                self._answer_unknown(process, done)
            case "write applied, reply lost":
                world.after(travel, None, self._land, body, base_version, None)
                self._answer_unknown(process, done)
            case "write lands late":
                late_ms = world.plan.timeout_ms * world.random.choice([0.1, 0.5, 1.5, 2.5])
                self._late_count += 1
                world.after(late_ms, None, self._land_late, body, base_version)
                self._answer_unknown(process, done)
            case "write sent twice below":
                # A client library that repeats silently: the answer is that of the second one.
                world.after(travel, None, self._land, body, base_version, None)
                if world.strikes("second copy refused otherwise"):
                    # For a reason of its own, where the condition was not looked at.
                    status = world.random.choice(list(REFUSALS_OF_COPIES))
                    told = self._road.refuse_write(status, base_version)
                    world.after(2 * travel, process, done, *told)
                    # What repeats has a bad road: nothing tells what became of the first copy.
                    until = world.now + int(2.5 * world.plan.timeout_ms)
                    self._outages[site] = (until, "write refused before")
                else:
                    world.after(2 * travel, None, self._land, body, base_version, answer)
            case "write slow":
                slow_ms = world.plan.timeout_ms * world.random.choice([0.2, 0.4, 0.8, 1.2])
                world.after(slow_ms, None, self._land, body, base_version, answer)
            case "writer frozen before the lock":
                # It compares and renames itself, once it goes on: if ever.
                world.after(travel, process, self._land, body, base_version, answer)
                process.pause(self._pause_ms())
            case "writer frozen with the lock":
                world.after(travel, process, self._lock_and_freeze, body, base_version, answer)
            case _:
                world.after(travel, None, self._land, body, base_version, answer)
        # What was told to be refused never lands: the contract.
        is_kept_out = fault in _KEPT_OUT
        if not is_kept_out and world.strikes("write replayed later"):
            replay_ms = world.random.choice([100, 1_000, 2 * world.plan.timeout_ms])
            world.after(travel + replay_ms, None, self._land, body, base_version, None)

    def _land_late(self, body: bytes, base_version: str | None) -> None:
        self._late_count -= 1
        self._land(body, base_version, None)

    def _answer_unknown(self, process: Process, done: Done) -> None:
        """An error that says nothing, or silence until the writer gives up waiting."""
        if self.world.random.random() < 0.5:
            self.world.after(self._latency(), process, done, "unknown")

    def _land(
        self,
        body: bytes,
        base_version: str | None,
        answer: tuple[Process, Done, int] | None,
    ) -> None:
        """The request reaches the object: compared and applied in one step."""
        if self.is_locked:
            # It waits for the lock in vain. Another copy of it may land, so nothing is sure.
            if answer is not None:
                process, done, travel = answer
                self.world.after(travel, process, done, "unknown")
            return
        is_applied = base_version == self.version
        if is_applied:
            self._apply(body)
        if answer is not None:
            process, done, travel = answer
            result: tuple[Any, ...] = ("succeeded", self.version) if is_applied else ("conflicted",)
            self.world.after(travel, process, done, *result)

    @property
    def is_locked(self) -> bool:
        """Whether a writer stands still with the lock, which goes with its process."""
        return self._lock_holder is not None and not self._lock_holder.is_gone

    def _lock_and_freeze(
        self, body: bytes, base_version: str | None, answer: tuple[Process, Done, int]
    ) -> None:
        if self.is_locked or base_version != self.version:
            self._land(body, base_version, answer)
            return
        process, _, _ = answer
        self._lock_holder = process
        self.world.after(0, process, self._rename, body, answer)
        process.pause(self._pause_ms())

    def _rename(self, body: bytes, answer: tuple[Process, Done, int]) -> None:
        """Without another look: nobody can have replaced what was compared."""
        self._lock_holder = None
        self._apply(body)
        process, done, travel = answer
        self.world.after(travel, process, done, "succeeded", self.version)

    def _pause_ms(self) -> int:
        return int(self.world.plan.timeout_ms * self.world.random.uniform(0.9, 3.0))

    def _apply(self, body: bytes, *, copy_of: int | None = None) -> None:
        self._puts += 1
        self._bodies.append(body)
        if self.world.plan.versions_name_bytes:
            self.version = hashlib.blake2b(body, digest_size=8).hexdigest()
        else:
            self.version = f"v{self._puts}"
        self.body = body
        self.world.observer.landed(body, self.version, copy_of=copy_of)

    def edit(self, change: Callable[[bytes, Random], bytes | None]) -> bool:
        """Somebody writes the document by hand. Returns whether there was something to change."""
        if self.is_locked:
            # It would be lost: who edits a file by hand does so while no broker runs.
            return False
        body = None if self.body is None else change(self.body, self.world.random)
        if body is not None:
            self._apply(body)
        return body is not None

    def restore(self) -> bool:
        """Somebody puts an older version back, while brokers run."""
        if len(self._bodies) < 2 or self.is_locked:
            return False
        random, newest = self.world.random, len(self._bodies) - 1
        index = max(newest - random.randint(1, random.choice([3, 10, 40, 200])), 0)
        ledger = self.world.observer.ledger
        wanted = random.choice([ledger.newest_of_another_leader, ledger.newest_release, None])
        if wanted is not None:
            # Those that give somebody a reason to lead: they name a broker that lives, or nobody.
            found = wanted()
            if found is None:
                return False
            index = found
        self._apply(self._bodies[index], copy_of=index)
        return True

    # Reads. `done` is told `loaded` with body and version, `unchanged`, `missing`, or `failed`.

    def read(
        self,
        process: Process,
        *,
        site: Site,
        if_changed_from: str | None,
        head_bytes: int | None,
        done: Done,
    ) -> None:
        """One read: what it finds is what was there at some moment on its way."""
        world = self.world
        there, back = self._latency(), self._latency()
        if self._outage(site) or world.strikes("read fails"):
            world.after(there, process, done, "failed")
            return
        if world.strikes("read answered by others"):
            is_stored = self.body is not None
            told = self._road.answer_read(if_changed_from, head_bytes, is_stored=is_stored)
            world.after(there, process, done, *told)
            return
        if world.strikes("read slow"):
            slow_ms = int(world.plan.timeout_ms * world.random.uniform(0.1, 0.8))
            there, back = (slow_ms, back) if world.random.random() < 0.5 else (there, slow_ms)
        world.after(there, None, self._look, process, if_changed_from, head_bytes, back, done)

    def _look(
        self,
        process: Process,
        if_changed_from: str | None,
        head_bytes: int | None,
        back: int,
        done: Done,
    ) -> None:
        if self.body is None:
            self.world.after(back, process, done, "missing")
        elif self.version == if_changed_from:
            self.world.after(back, process, done, "unchanged")
        else:
            body = self.body if head_bytes is None else self.body[:head_bytes]
            self.world.after(back, process, done, "loaded", body, self.version)

    # Outages.

    def go_out(self, site: Site | None, duration_ms: int) -> None:
        """Out of reach for a while, for one site or for all."""
        how = self.world.random.choice(
            ["write refused before", "write refused before", "write never lands", "write throttled"]
        )
        self.world.note(f"store out for {site or 'all'}, {duration_ms} ms: {how}")
        self._outages[site] = (self.world.now + duration_ms, how)

    def _outage(self, site: Site) -> str:
        for who in (None, site):
            until, how = self._outages.get(who, (0, ""))
            if self.world.now < until:
                return how
        return ""

    def mend(self) -> None:
        """Every outage ends."""
        self._outages.clear()

    def _latency(self) -> int:
        return self.world.random.randint(2, 40)
