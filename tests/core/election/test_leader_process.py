"""What a leader writes of its process, and what a system's answers prove."""

import pytest

from osqueue.core.election.leader_process import (
    LeaderProcess,
    ProcessStat,
    ProcessTraces,
    is_surely_gone,
    place_in,
)

BOOT_ID = "3c29b2ba-5a8e-4d1c-9f63-0d6f8c2d1e55"
PLACE = f"worker-7 {BOOT_ID} net:[4026531840] 127.0.0.1 8080"
HOST = f"{PLACE} pid:[4026531836],time:[4026531834] 4711 112233"
PROCESS = LeaderProcess(f"worker-7 {BOOT_ID} pid:[4026531836],time:[4026531834]", 4711, 112233)


def stat(
    *, pid: int = 4711, command: str = "python3", state: str = "S", started: str = "112233"
) -> str:
    fields = [state, *map(str, range(4, 22)), started, *map(str, range(23, 53))]
    return f"{pid} ({command}) {' '.join(fields)}\n"


def test_process_is_read_of_what_a_leader_writes() -> None:
    assert LeaderProcess.parse(HOST) == PROCESS
    assert place_in(HOST) == PLACE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host-1",
        # As written by leaders before they named their process.
        PLACE,
        # Without a boot id: the hardware address of a machine that is not Linux.
        HOST.replace(BOOT_ID, "0242ac110002"),
        HOST.replace("pid:[4026531836],", ""),
        HOST.replace(" 4711 ", " 0 "),
        HOST.replace(" 4711 ", " -1 "),
        HOST.replace("worker-7", "two words"),
        HOST + " more",
        HOST + "\n",
        HOST.replace("112233", "9" * 20),
    ],
)
def test_other_texts_name_no_process(text: str) -> None:
    assert LeaderProcess.parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        HOST.replace("worker-7", "worker-8"),
        HOST.replace("3c29b2ba", "00000000"),
        HOST.replace("pid:[4026531836]", "pid:[4026531999]"),
        HOST.replace("time:[4026531834]", "time:[4026531999]"),
        HOST.replace(",time:[4026531834]", ""),
    ],
)
def test_process_of_another_kernel_or_namespace_is_told_apart(text: str) -> None:
    other = LeaderProcess.parse(text)
    assert other is not None
    assert other.kernel != PROCESS.kernel


@pytest.mark.parametrize("command", ["python3", "a b", "x) S 1 (y", "))", "", "\ufffd"])
def test_command_may_hold_spaces_and_brackets(command: str) -> None:
    assert ProcessStat.parse(stat(command=command)) == ProcessStat(4711, "S", 112233)


@pytest.mark.parametrize(
    "text", ["", "4711", "4711 (x)", "4711 (x) S 1", "x (x) " + "1 " * 30, stat(started="x")]
)
def test_other_forms_of_the_file_tell_nothing(text: str) -> None:
    assert ProcessStat.parse(text) is None
    assert not is_surely_gone(PROCESS, ProcessTraces(exists=True, stat=text))


@pytest.mark.parametrize(
    "traces",
    [
        ProcessTraces(exists=False),
        # Its number is another one's.
        ProcessTraces(exists=True, stat=stat(started="112234")),
        # Killed, and nobody has waited for it yet.
        ProcessTraces(exists=True, stat=stat(state="Z")),
        ProcessTraces(exists=True, stat=stat(state="X")),
    ],
)
def test_process_that_is_gone(traces: ProcessTraces) -> None:
    assert is_surely_gone(PROCESS, traces)


@pytest.mark.parametrize(
    "traces",
    [
        ProcessTraces(exists=True),
        ProcessTraces(exists=True, stat=stat()),
        # Stopped, and waiting for a disk: both can go on.
        ProcessTraces(exists=True, stat=stat(state="T")),
        ProcessTraces(exists=True, stat=stat(state="D")),
        ProcessTraces(exists=True, stat=stat(pid=4712, started="5")),
    ],
)
def test_process_that_may_live(traces: ProcessTraces) -> None:
    assert not is_surely_gone(PROCESS, traces)
