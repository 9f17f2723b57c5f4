"""Processes as Linux tells of them: this one, so that others can ask for it, and the leader's.

What the answers mean is decided in `osqueue/core/election/leader_process.py`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from osqueue.core.election.leader_process import ProcessStat, ProcessTraces

__all__ = ["own_process", "trace_process"]

PROC = Path("/proc")


def own_process(proc: Path = PROC) -> list[str]:
    """The last three words of `brokerHost`: namespaces, number and start of this process.

    Returns: nothing where the system does not tell, or tells of another namespace's processes (its
    `proc` is mounted from there).
    """
    try:
        stat = ProcessStat.parse((proc / "self/stat").read_text(errors="replace"))
        namespaces = os.readlink(proc / "self/ns/pid")
    except OSError:
        return []
    if stat is None or stat.pid != os.getpid():
        return []
    with suppress(OSError):  # Linux before 5.6 has none.
        # Starts are told by the clock of this namespace.
        namespaces += "," + os.readlink(proc / "self/ns/time")
    return [namespaces, str(stat.pid), str(stat.started)]


def trace_process(pid: int, proc: Path = PROC) -> ProcessTraces:
    """What the system tells of a process number; it neither waits nor touches the process."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ProcessTraces(exists=False)
    except OSError:
        pass  # It is there, and somebody else's.
    try:
        return ProcessTraces(exists=True, stat=(proc / f"{pid}/stat").read_text(errors="replace"))
    except OSError:
        return ProcessTraces(exists=True)
