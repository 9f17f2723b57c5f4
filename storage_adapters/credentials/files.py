"""Reads the files that hold secrets or say where they are: small ones, off the loop."""

from pathlib import Path

import trio

from storage_adapters.contract import StoreMisconfigured

__all__ = ["expanded", "read_text"]

_FILE_BYTES_MAX = 1_048_576


def expanded(path: str, *, home: Path) -> Path:
    """Make a path of what a variable or a file says, with "~" for the home directory."""
    if path == "~" or path.startswith("~/"):
        return home / path[2:]
    return Path(path)


async def read_text(path: Path, *, what: str) -> str | None:
    """Read a small file in a thread.

    Args:
        what: names the file for a person, as in "the web identity token".

    Returns: its text, None where there is no such file.

    Raises:
        StoreMisconfigured: it cannot be read, is longer than 1 MiB, or is no UTF-8.

    Cancellation: the file is not waited for any longer, should its disk hang.
    """
    try:
        data = await trio.to_thread.run_sync(_read, path, abandon_on_cancel=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreMisconfigured(
            f"{what} cannot be read; correct its path or permissions: {path}: {error.strerror}"
        ) from error
    except ValueError as error:
        raise StoreMisconfigured(f"{what} has a path that is none; correct it") from error
    if len(data) > _FILE_BYTES_MAX:
        raise StoreMisconfigured(
            f"{what} is longer than {_FILE_BYTES_MAX} bytes; correct its path: {path}"
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        # Not `from` it: that error carries the bytes.
        raise StoreMisconfigured(f"{what} is no text in UTF-8; correct its path: {path}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_FILE_BYTES_MAX + 1)
