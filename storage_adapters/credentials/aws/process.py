"""Keys that a program prints: the door for every way of signing in that is not built in.

Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
"""

import shlex
import subprocess
from collections.abc import Mapping

import msgspec
import trio

from storage_adapters.contract import AccessDenied, NotApplied, StoreMisconfigured
from storage_adapters.credentials.aws.given_keys import GivenKeys
from storage_adapters.signing import AwsKeys

__all__ = ["keys_of_process"]

_TIMEOUT_S = 30.0
_GRACE_S = 1.0


class _Printed(GivenKeys, rename="pascal"):
    version: int = 0


async def keys_of_process(command: str, *, environment: Mapping[str, str], issuer: str) -> AwsKeys:
    """Run the `credential_process` of a profile, without a shell, and read what it prints.

    Neither its output nor what it says on stderr gets into an error: both may hold a secret.

    Args:
        environment: the variables that the program sees.

    Raises:
        AccessDenied: it ended with another status than 0.
        StoreMisconfigured: it cannot be started, or prints something else than keys.
        NotApplied: it took longer than 30 s.

    Cancellation: the program is terminated, and killed where that takes more than a second.
    """
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise StoreMisconfigured(f"the command of {issuer} cannot be read: {error}") from None
    if not arguments:
        raise StoreMisconfigured(f"the command of {issuer} is empty; correct it")
    with trio.move_on_after(_TIMEOUT_S):
        try:
            ended = await trio.run_process(
                arguments,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                deliver_cancel=_end,
                env=environment,
            )
        except OSError as error:
            raise StoreMisconfigured(
                f"the program of {issuer} cannot be started: {error.strerror}: {arguments[0]}"
            ) from None
        return _keys(ended, issuer=issuer)
    raise NotApplied(f"the program of {issuer} did not end within {_TIMEOUT_S:.0f} s")


async def _end(process: trio.Process) -> None:
    process.terminate()
    with trio.move_on_after(_GRACE_S):
        await process.wait()
        return
    process.kill()


def _keys(ended: "subprocess.CompletedProcess[bytes]", *, issuer: str) -> AwsKeys:
    if ended.returncode != 0:
        raise AccessDenied(
            f"no credentials: the program of {issuer} ended with status {ended.returncode}; "
            "run it by hand to see why (signing in again may be needed)"
        )
    try:
        printed = msgspec.json.decode(ended.stdout, type=_Printed)
    except msgspec.DecodeError as error:
        raise StoreMisconfigured(f"the program of {issuer} prints no keys: {error}") from None
    except (ValueError, RecursionError):
        raise StoreMisconfigured(f"the program of {issuer} prints no JSON; correct it") from None
    if printed.version != 1:
        raise StoreMisconfigured(
            f"the program of {issuer} prints keys of version {printed.version}, not 1"
        )
    return printed.keys(issuer=issuer)
