"""Processes and the machines that they run on: clocks, pauses, ends."""

from __future__ import annotations

import random as random_module
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["EPOCH_MS", "Machine", "Process"]

EPOCH_MS = 1_700_000_000_000
_RATE_ERROR = 0.003
"""How wrong a steady clock may run."""


class Machine:
    """Two clocks: a wall clock that may be wrong and may jump, and a steady one."""

    def __init__(self, random: random_module.Random) -> None:
        self.step_ms = random.choice([0, 0, random.randint(-4_000, 4_000)])
        """The lead of the wall clock over the true time by steps that may be followed."""
        self.stepped_ms = 0
        """The length of all steps so far, in either direction."""
        self.leap_ms = 0
        """Its lead beside these, by one leap that must not be followed."""
        self.steady_offset_ms = random.randrange(1, 1_000_000_000)
        self.rate = 1.0 + random.choice([0.0, random.uniform(-_RATE_ERROR, _RATE_ERROR)])

    def steady_ms(self, time: int) -> int:
        """The steady clock at a moment; it also runs while the machine is suspended."""
        return int(time * self.rate) + self.steady_offset_ms

    def time_of(self, steady_ms: int) -> int:
        """The moment at which the steady clock shows this."""
        return int((steady_ms - self.steady_offset_ms) / self.rate) + 1

    @property
    def wall_offset_ms(self) -> int:
        """The lead of the wall clock over the true time."""
        return self.step_ms + self.leap_ms

    def jump(self, random: random_module.Random) -> None:
        """Somebody sets the wall clock a little."""
        step_ms = random.choice([-50_000, -2_000, 1_500, 45_000])
        self.step_ms += step_ms
        self.stepped_ms += abs(step_ms)

    def leap(self, random: random_module.Random) -> None:
        """Somebody sets the wall clock to quite another time."""
        minutes = random.choice([15, 60, 24 * 60, 2 * 24 * 60, 400 * 24 * 60])
        self.leap_ms = random.choice([-1, 1]) * minutes * 60_000

    def set_right(self) -> None:
        """Somebody sets the wall clock to the true time."""
        self.stepped_ms += abs(self.step_ms)
        self.step_ms = self.leap_ms = 0


class Process:
    """What can be paused and can end. Events of a paused process wait; clocks run on."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world = world
        self.machine = machine
        self.is_gone = False
        self.is_paused = False
        self.paused_ms = 0
        """All its pauses so far: what a clock that stands still in suspend has left out."""
        self._paused_since_ms = 0
        self.deferred: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.random = random_module.Random(world.random.getrandbits(64))

    def now_ms(self) -> int:
        """The machine's wall clock."""
        return EPOCH_MS + self.world.now + self.machine.wall_offset_ms

    def steady_ms(self) -> int:
        """The machine's steady clock."""
        return self.machine.steady_ms(self.world.now)

    def pause(self, duration_ms: int) -> None:
        """Stand still: stopped, swapped out, or the whole machine suspended."""
        if self.is_paused or self.is_gone:
            return
        self.is_paused = True
        self._paused_since_ms = self.world.now
        self.world.note(f"{self!r} paused for {duration_ms} ms")
        # Without a process: its own events wait until it goes on.
        self.world.after(duration_ms, None, self.go_on)

    def go_on(self) -> None:
        """Continue: all that has happened meanwhile is there at once, in any order."""
        if not self.is_paused or self.is_gone:
            return
        self.is_paused = False
        self.paused_ms += self.world.now - self._paused_since_ms
        self.world.note(f"{self!r} goes on")
        deferred, self.deferred = self.deferred, []
        if self.world.random.random() < 0.5:
            self.world.random.shuffle(deferred)
        for action, arguments in deferred:
            self.world.at(self.world.now, self, action, *arguments)
