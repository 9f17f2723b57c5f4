"""The tour of the README, run as it stands there: its programs, its commands, what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.processes import ROOT, TIMEOUT_S, OsqueueProcess, environment, started_broker

PROGRAM = re.compile(r"in `(\w+\.py)`.*?```python\n(.*?)```", re.DOTALL)
SHELL_LINE = re.compile(r"^    (\$ )?(.*)$")
# What differs from run to run: ids, times, the port, and how many writes it took.
VARYING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}"), "ID"),
    (re.compile(r"\d+ s ago"), "AGE"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\d+ writes, \d+ reads"), "CALLS"),
    (re.compile(r"[ \t]+"), " "),
)
IN_BACKGROUND = ("osqueue server", "osqueue worker")


def tour() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("\n## In a minute\n")[2].partition("\n## ")[0]


def commands() -> list[tuple[str, list[str]]]:
    """The commands of the tour, each with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in re.sub(r"```.*?```", "", tour(), flags=re.DOTALL).splitlines():
        match = SHELL_LINE.match(line)
        if match is None:
            continue
        if match[1]:
            found.append((match[2], []))
        else:
            found[-1][1].append(match[2])
    return found


def plain(lines: list[str]) -> list[str]:
    """The lines without what differs from run to run."""
    result: list[str] = []
    for line in lines:
        for pattern, word in VARYING:
            line = pattern.sub(word, line)
        result.append(line.strip())
    return result


@pytest.mark.slow
def test_tour_of_the_readme_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    for name, program in PROGRAM.findall(tour()):
        (tmp_path / name).write_text(program)
    with started_broker(tmp_path) as broker:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        given = environment({"BROKER_URL": broker.url, "PATH": path})

        def run(command: str) -> list[str]:
            ended = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=given,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=True,
            )
            return ended.stdout.splitlines()

        steps = commands()
        before = [step for step in steps if "dead" not in step[0] and "stats" not in step[0]]
        assert [command for command, _ in steps if command.startswith(IN_BACKGROUND)] == [
            "osqueue server",
            "osqueue worker tasks:worker",
        ]
        for command, printed in before:
            if not command.startswith(IN_BACKGROUND):
                assert plain(run(command)) == plain(printed), command
        worker = ["tasks:worker", "--url", broker.url]
        with OsqueueProcess(worker, {}, tmp_path, "osqueue.worker"):
            deadline = time.monotonic() + TIMEOUT_S
            while not {'"total":1', '"dead":1'} <= set(
                re.split("[{},]", run("osqueue stats --json")[0])
            ):
                assert time.monotonic() < deadline
        for command, printed in steps[len(before) :]:
            assert plain(run(command)) == plain(printed), command
