"""The leader's process, as it describes itself in `brokerHost`, and whether it is surely gone.

    HOST BOOT-ID net:[N] BOUND-TO PORT pid:[N],time:[N] PID STARTED

The first five words are its place. The last three are there on Linux only. Who has the first two
and the sixth in common with it is on the same kernel, and counts processes and their start times
as it does: there the system can be asked for that very process. A text of any other form names no
process.
"""

from __future__ import annotations

import re

import msgspec

__all__ = [
    "BrokerIdentity",
    "LeaderProcess",
    "ProcessStat",
    "ProcessTraces",
    "is_surely_gone",
    "place_in",
]

_PLACE_WORDS = 5
_HOST = re.compile(
    r"(\S+ [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) \S+ \S+ [0-9]+"
    r" (pid:\[[0-9]+\](?:,time:\[[0-9]+\])?) ([1-9][0-9]{0,9}) ([0-9]{1,19})\Z"
)
_ENDED = frozenset("ZXx")
"""States of a process whose threads run no more: a zombie that nobody has waited for, or dead."""
_STARTED_INDEX = 19
"""Field 22, where field 3 is the first after the command."""


class BrokerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who this process is."""

    name: str
    """Random, new for each process."""
    address: str
    """Where others reach it; never 0.0.0.0."""
    host: str
    """Its machine, where it is bound there, and its process, in the form above."""


class LeaderProcess(msgspec.Struct, frozen=True):
    """One process of one kernel, never of a later boot or of a later process with its number."""

    kernel: str
    """Host name, boot id, and the namespaces that number processes and date their starts."""
    pid: int
    started: int
    """In clock ticks since the boot."""

    @classmethod
    def parse(cls, broker_host: str) -> LeaderProcess | None:
        """The process that `brokerHost` names; None where it names none."""
        match = _HOST.match(broker_host)
        if match is None:
            return None
        return cls(f"{match[1]} {match[2]}", int(match[3]), int(match[4]))


class ProcessStat(msgspec.Struct, frozen=True):
    """What is read of /proc/PID/stat."""

    pid: int
    state: str
    started: int

    @classmethod
    def parse(cls, text: str) -> ProcessStat | None:
        """Read the file's one line; None where it is not of that form.

        The command in it may hold spaces and brackets: what follows it follows the last bracket.
        """
        head, bracket, tail = text.rpartition(")")
        pid, fields = head.partition(" (")[0], tail.split()
        if not bracket or len(fields) <= _STARTED_INDEX or not pid.isdecimal():
            return None
        started = fields[_STARTED_INDEX]
        return cls(int(pid), fields[0], int(started)) if started.isdecimal() else None


class ProcessTraces(msgspec.Struct, frozen=True):
    """What the system tells of a process number."""

    exists: bool
    """Whether it may be one of a process; False is what even a system that hides processes says
    for sure."""
    stat: str = ""
    """What /proc/PID/stat holds; empty: it cannot be read."""


def is_surely_gone(process: LeaderProcess, traces: ProcessTraces) -> bool:
    """Whether the process runs no more: nobody has its number, somebody else has, or it has
    ended."""
    if not traces.exists:
        return True
    stat = ProcessStat.parse(traces.stat)
    if stat is None or stat.pid != process.pid:
        return False
    return stat.started != process.started or stat.state in _ENDED


def place_in(broker_host: str) -> str:
    """The machine and what it is bound to there: what only one process at a time should have."""
    return " ".join(broker_host.split(" ")[:_PLACE_WORDS])
