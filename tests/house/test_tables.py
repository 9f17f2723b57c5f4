"""Tables of the documents that are printed from the code: each stands there as the code has it."""

import re
from collections.abc import Iterable

import pytest

from osqueue.cli.endings import ExitStatus
from osqueue.core.job import STATUS_CHANGES
from osqueue.settings import SETTINGS, Setting
from tests.house.test_imports import LAZILY, PURE, RULES
from tests.house.tree import ROOT, files

LOG_CALL = re.compile(r"\blog\.(?:info|warning|error)\(\s*\"([^\"]+)\"")


def setting_row(setting: Setting) -> str:
    """The row of docs/operations.md for a setting."""
    default = setting.default
    if isinstance(default, bool):
        default = "yes" if default else "no"
    if isinstance(default, tuple):
        default = ",".join(default)
    allowed = " or ".join(setting.choices)
    if setting.minimum is not None:
        allowed = f"{setting.minimum} to {setting.maximum}"
    shown = f"`{default}`" if default != "" else "none"
    return f"| `{setting.environment}` | {shown} | {allowed} | {setting.help} |"


def change_rows() -> list[str]:
    """The rows of docs/architecture.md for the changes of a job's status."""
    return [f"| {old} | {new} | {cause} |" for (old, new), cause in STATUS_CHANGES.items()]


def import_rows() -> list[str]:
    """The rows of docs/architecture.md for who may import whom."""
    rows: list[str] = []
    for packages, allowed in RULES.items():
        purely = " (and of the standard library what only computes)" if packages in PURE else ""
        names = ", ".join(f"`{name}`" for name in allowed.split()) or "nothing"
        rows.append(f"| {', '.join(f'`{name}`' for name in packages.split())} | {names}{purely} |")
    for module, late in LAZILY.items():
        names = ", ".join(f"`{name}`" for name in late.split())
        rows.append(f"| `{module}`, where it is needed | {names} |")
    return rows


def status_rows() -> list[str]:
    """The beginnings of the rows of docs/operations.md for exit statuses."""
    return [f"| {status.value} |" for status in ExitStatus]


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        ("docs/operations.md", [setting_row(setting) for setting in SETTINGS]),
        ("docs/operations.md", status_rows()),
        ("docs/architecture.md", change_rows()),
        ("docs/architecture.md", import_rows()),
    ],
    ids=["settings", "exit statuses", "changes of status", "imports"],
)
def test_document_has_the_table_of_the_code(document: str, rows: Iterable[str]) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    missing = [row for row in rows if f"\n{row}" not in text]
    assert not missing, f"put into {document}, in place of what is old:\n" + "\n".join(missing)


def test_operations_manual_explains_every_log_line_of_a_broker() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    sources = files(".py", "osqueue/broker", "osqueue/server", "osqueue/cli/broker")
    events = {
        event for path in sources for event in LOG_CALL.findall(path.read_text(encoding="utf-8"))
    }
    missing = sorted(event for event in events if f"`{event}`" not in text)
    assert not missing, f"docs/operations.md does not explain the log lines {missing}"
