"""What this machine tells of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from osqueue.cli.broker.composition import place_name
from osqueue.cli.broker.linux_processes import own_process, trace_process
from osqueue.core.election.leader_process import LeaderProcess, ProcessStat, is_surely_gone
from osqueue.settings import Settings


def own() -> LeaderProcess:
    process = LeaderProcess.parse(" ".join([place_name(Settings()), *own_process()]))
    assert process is not None
    return process


def test_own_process_is_named_and_found_alive() -> None:
    process = own()
    assert process.pid == os.getpid()
    assert not is_surely_gone(process, trace_process(process.pid))


@pytest.mark.slow
def test_killed_process_is_gone_before_and_after_it_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        stat = ProcessStat.parse(trace_process(child.pid).stat)
        assert stat is not None
        process = LeaderProcess(own().kernel, child.pid, stat.started)
        assert not is_surely_gone(process, trace_process(child.pid))
        child.kill()
        # Until it has ended, and without reaping it.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        traces = trace_process(child.pid)
        assert traces.exists
        assert is_surely_gone(process, traces)
    assert not trace_process(child.pid).exists


def test_process_that_is_hidden_or_somebody_elses_may_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trace_process(os.getpid(), tmp_path).stat == ""

    def refuse(pid: int, number: int) -> None:
        raise PermissionError(pid, number)

    monkeypatch.setattr(os, "kill", refuse)
    assert trace_process(os.getpid()).exists


def test_number_that_no_system_gives_is_nobodys() -> None:
    assert not trace_process(2**40).exists


@pytest.mark.parametrize("missing", ["self/stat", "self/ns/pid", "self", "wrong pid"])
def test_system_that_does_not_tell_leaves_the_process_unnamed(tmp_path: Path, missing: str) -> None:
    make_proc(tmp_path, os.getpid() + (missing == "wrong pid"))
    if missing == "self":
        tmp_path = tmp_path / "missing"
    elif missing != "wrong pid":
        (tmp_path / missing).unlink()
    assert own_process(tmp_path) == []


def test_namespace_of_the_clock_is_named_where_there_is_one(tmp_path: Path) -> None:
    make_proc(tmp_path, os.getpid())
    assert own_process(tmp_path) == ["pid:[1]", str(os.getpid()), "77"]
    (tmp_path / "self" / "ns" / "time").symlink_to("time:[2]")
    assert own_process(tmp_path)[0] == "pid:[1],time:[2]"


def make_proc(directory: Path, pid: int) -> None:
    """What is read of /proc, with a process of that number in it."""
    (directory / "self" / "ns").mkdir(parents=True)
    (directory / "self" / "ns" / "pid").symlink_to("pid:[1]")
    (directory / "self" / "stat").write_text(f"{pid} (python) S {'0 ' * 18}77 0\n")
