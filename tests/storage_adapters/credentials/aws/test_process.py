"""Tests the keys that a program prints, with real programs."""

import os
import shlex
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from storage_adapters.contract import AccessDenied, NotApplied, StoreError, StoreMisconfigured
from storage_adapters.credentials.aws.process import keys_of_process
from storage_adapters.signing import AwsKeys
from tests.storage_adapters.credentials.issuers import NOW_MS, assert_hides

SECRET = "kept-from-everybody"
KEYS = f'"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "{SECRET}"'


def printing(text: str) -> str:
    return shlex.join(["/bin/echo", text])


async def keys_of(command: str) -> AwsKeys:
    return await keys_of_process(command, environment={}, issuer="the profile")


async def test_program_prints_keys() -> None:
    assert await keys_of(printing(f'{{"Version": 1, {KEYS}}}')) == AwsKeys("ASIAEXAMPLE", SECRET)
    rest = '"SessionToken": "token", "Expiration": "2023-11-14T22:13:20Z"'
    keys = AwsKeys("ASIAEXAMPLE", SECRET, "token", NOW_MS)
    assert await keys_of(printing(f'{{"Version": 1, {KEYS}, {rest}}}')) == keys


async def test_command_is_not_read_by_a_shell() -> None:
    with pytest.raises(StoreMisconfigured, match="prints no keys"):
        await keys_of("/bin/echo $HOME; exit 1")


@pytest.mark.parametrize(
    ("command", "kind", "text"),
    [
        ("/bin/sh -c 'echo {SECRET}; echo {SECRET} >&2; exit 3'", AccessDenied,
         "ended with status 3; run it by hand"),
        (printing(f"<html>{SECRET}"), StoreMisconfigured, "the program of the profile prints no"),
        (printing(f'{{"Version": 1, "SecretAccessKey": "{SECRET}"}}'), StoreMisconfigured,
         "prints no keys: Object missing required field `AccessKeyId`"),
        (printing(f'{{"Version": 2, {KEYS}}}'), StoreMisconfigured, "of version 2, not 1"),
        (printing(f"{{{KEYS}}}"), StoreMisconfigured, "of version 0, not 1"),
        ("/bin/true", StoreMisconfigured, "prints no keys"),
        ("/nowhere/program --token a", StoreMisconfigured,
         "cannot be started: No such file or directory: /nowhere/program"),
        ("'", StoreMisconfigured, "cannot be read"),
        (" ", StoreMisconfigured, "is empty"),
    ],
    ids=["fails", "html", "half", "other version", "no version", "nothing",
         "no program", "quote", "empty"],
)  # fmt: skip
async def test_program_without_keys_says_why_and_nothing_secret(
    command: str, kind: type[StoreError], text: str
) -> None:
    with pytest.raises(kind, match=text) as caught:
        await keys_of(command)
    assert_hides(caught.value, SECRET)


async def test_binary_or_deep_output_is_no_json(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.write_bytes(b'{"Version": 1, "AccessKeyId": "\xff"}')
    with pytest.raises(StoreMisconfigured, match="prints no JSON"):
        await keys_of(shlex.join(["/bin/cat", str(output)]))
    deep = shlex.join([sys.executable, "-S", "-c", "print('{\"Version\":' + '[' * 100_000)"])
    with pytest.raises(StoreMisconfigured, match="prints no"):
        await keys_of(deep)


async def test_program_that_does_not_end_is_killed(
    mock_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    script = f"trap '' TERM; echo $$ > {started}; while :; do /bin/sleep 1; done"
    stubborn = shlex.join(["/bin/sh", "-c", script])

    async def ask() -> None:
        with pytest.raises(NotApplied, match="did not end within 30 s"):
            await keys_of(stubborn)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        process_id = int(await trio.to_thread.run_sync(started.read_text))
        mock_clock.jump(30)
        await wait_all_tasks_blocked()
        os.kill(process_id, 0)
        mock_clock.jump(1)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


async def test_cancelled_caller_ends_the_program(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    script = f"echo $$ > {started}; exec /bin/sleep 1000"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keys_of, shlex.join(["/bin/sh", "-c", script]))
        process_id = int(await trio.to_thread.run_sync(started.read_text))
        nursery.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


async def test_program_sees_the_variables_that_are_given() -> None:
    keys = await keys_of_process(
        "/bin/sh -c 'echo \"$PRINTED\"'",
        environment={"PRINTED": f'{{"Version": 1, {KEYS}}}'},
        issuer="the profile",
    )
    assert keys.access_key_id == "ASIAEXAMPLE"
