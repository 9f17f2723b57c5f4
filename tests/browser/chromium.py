"""Where the tests get their browser: Debian's Chromium before any other.

Playwright can drive the Chromium that the machine has; only where there is none does its own count,
and only where that is missing too is Debian's installed, by root. Nothing is ever skipped for the
want of a browser: the run stops, and says what to type.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["CHROMIUM_FLAGS", "INSTALL_LINE", "NoChromium", "find_chromium"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL_LINE = "apt-get install --yes --no-install-recommends chromium"
BUNDLED_LINE = ".venv/bin/python -m playwright install chromium"
APT_OPTIONS = (
    "--option=DPkg::Lock::Timeout=120",
    "--option=Acquire::Retries=3",
    "--option=Acquire::http::Timeout=30",
)
"""Another apt-get may be at work on the same machine (seconds), and a mirror may stall."""
CHROMIUM_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
)
"""Nothing but the brokers is talked to, and two machines paint alike."""


class NoChromium(Exception):
    """There is no Chromium, and none could be installed; the message says what to type."""


def find_chromium(bundled: str, *, is_root: bool) -> str:
    """The path of a Chromium, installed if need be; `bundled` is where Playwright keeps its own.

    Raises:
        NoChromium: there is none, and this process may not or cannot install one.
    """
    found = find_on_path()
    if found is None and Path(bundled).exists():
        found = bundled
    if found is None and is_root and shutil.which("apt-get") is not None:
        install()
        found = find_on_path()
    if found is None:
        raise NoChromium(
            f"The browser tests need Chromium: there is none on PATH, and Playwright has none of "
            f"its own. Install Debian's, as root:\n\n    {INSTALL_LINE}\n\n"
            f"or Playwright's, without:\n\n    {BUNDLED_LINE}\n"
        )
    return found


def find_on_path() -> str | None:
    """The first of the names that PATH knows."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Install Debian's Chromium; on failure there is still none, and the caller says so."""
    print(f"No Chromium here: {INSTALL_LINE} ...", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for line in ("apt-get update", INSTALL_LINE):
        command = (*line.split(), "--quiet", *APT_OPTIONS)
        subprocess.run(command, check=False, env=environment, stdout=subprocess.DEVNULL)
