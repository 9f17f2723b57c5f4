"""The tour of the README, run as it stands there: its programs, its commands, what they print."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.processes import ROOT, TIMEOUT_S, OsqueueProcess, environment
from tests.emulators.programs import free_port

PROGRAM = re.compile(r"in `(\w+\.py)`.*?```python\n(.*?)```", re.DOTALL)
CODE_BLOCK = re.compile(r"```.*?```", re.DOTALL)
SHELL_BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
WORKER_SAYS = "By now the worker has said:\n\n"
JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
# What differs from run to run: ids, the port, and how many writes it took.
VARYING = (
    (JOB_ID, "ID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\d+ writes, \d+ reads"), "CALLS"),
    (re.compile(r"[ \t]+"), " "),
)


def tour() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("\n## In a minute\n")[2].partition("\n## ")[0]


def blocks(text: str) -> list[list[str]]:
    """The indented blocks, each as its lines."""
    found = SHELL_BLOCK.findall(CODE_BLOCK.sub("", text))
    return [[line[4:] for line in block.splitlines()] for block in found]


def commands() -> list[tuple[str, list[str]]]:
    """The commands of the tour, each with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks(tour().replace(WORKER_SAYS + said_by_worker(), "")):
        for line in block:
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def said_by_worker() -> str:
    """The block of what the worker prints, as it stands."""
    block = SHELL_BLOCK.match(tour().partition(WORKER_SAYS)[2])
    assert block is not None
    return block[0]


def plain(lines: list[str]) -> list[str]:
    """The lines without what differs from run to run."""
    result: list[str] = []
    for line in lines:
        for pattern, word in VARYING:
            line = pattern.sub(word, line)
        result.append(line.strip())
    return result


class Terminal:
    """Where somebody follows the tour, with the ids of this run in place of those printed there."""

    def __init__(self, directory: Path, broker_url: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = environment({"BROKER_URL": broker_url, "PATH": path})
        self.directory = directory
        self.ids: dict[str, str] = {}

    def follow(self, command: str, printed: list[str]) -> None:
        """Type a command, and see whether it prints what it should."""
        typed = JOB_ID.sub(lambda match: self.ids[match[0]], command)
        ended = subprocess.run(
            typed,
            shell=True,
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        shown = ended.stdout.splitlines()
        assert plain(shown) == plain(printed), command
        assert ended.returncode == any(line.startswith("osqueue: ") for line in printed), command
        ids = zip(JOB_ID.findall("\n".join(printed)), JOB_ID.findall(ended.stdout), strict=True)
        self.ids.update(ids)


@pytest.mark.slow
def test_tour_of_the_readme_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    for name, program in PROGRAM.findall(tour()):
        (tmp_path / name).write_text(program)
    server, worker, *steps = commands()
    assert server[0] == "osqueue server"
    assert worker == ("osqueue worker tasks:worker", [])
    with OsqueueProcess([], {"BROKER_PORT": "0"}, tmp_path, "osqueue.server") as broker:
        assert plain([broker.wait_announced()]) == plain(server[1])
        arguments = ["tasks:worker", "--url", broker.url]
        terminal = Terminal(tmp_path, broker.url)
        with OsqueueProcess(arguments, {}, tmp_path, "osqueue.worker") as process:
            for command, printed in steps:
                terminal.follow(command, printed)
            process.send(signal.SIGTERM)
            said, _ = process.process.communicate(timeout=TIMEOUT_S)
    assert said.splitlines() == [line[4:] for line in said_by_worker().splitlines()]


def emulator_steps() -> list[list[str]]:
    """The commands that start a broker on each emulator."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## On a bucket\n")[2].partition("\n## ")[0]
    _, on_emulators = blocks(section)
    steps: list[list[str]] = [[]]
    for line in on_emulators:
        steps[-1].append(line.removeprefix("$ "))
        if line.endswith("osqueue server"):
            steps.append([])
    return steps[:-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "place"), [(0, "s3://jobs/queue.json"), (1, "gs://jobs/queue.json")]
)
def test_broker_starts_on_an_emulator_by_the_commands_of_the_readme(
    number: int, place: str, tmp_path: Path
) -> None:
    script = "\n".join(["set -e", *emulator_steps()[number]])
    port = str(free_port())
    for printed, here in (
        ("127.0.0.1:4566", f"127.0.0.1:{port}"),
        ("127.0.0.1:4443", f"127.0.0.1:{port}"),
        ("-port 4443", f"-port {port}"),
        ("find .venv", f"find {sys.prefix}"),
        # A round on Google's takes seconds; signals are for the broker, not for the shell.
        ("osqueue doctor", "osqueue doctor --rounds 1"),
        ("osqueue server", "exec osqueue server"),
    ):
        script = script.replace(printed, here)
    given = {"GATEWAY_PORT": port, "BROKER_PORT": "0", "HOME": str(tmp_path)}
    terminal = Terminal(tmp_path, "").environment | given
    shell = subprocess.Popen(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env=terminal,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(TIMEOUT_S, os.killpg, (shell.pid, signal.SIGKILL))
    watchdog.start()
    try:
        assert shell.stdout is not None
        shown: list[str] = []
        while not shown or not shown[-1].startswith("osqueue broker on "):
            shown.append(shell.stdout.readline())
            assert shown[-1], shown
        assert shown[-2] == "a queue can live here\n"
        assert shown[-1].endswith(f", queue in {place}\n")
        shell.send_signal(signal.SIGTERM)
        assert shell.wait(TIMEOUT_S) == 0
    finally:
        watchdog.cancel()
        os.killpg(shell.pid, signal.SIGKILL)
        shell.stdout.close()
