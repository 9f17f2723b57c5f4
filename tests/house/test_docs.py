"""What must be documented is, and what the documents point to exists."""

import re
from pathlib import Path
from typing import cast

import click

from osqueue.core.errors import ERROR_CLASSES
from osqueue.protocol.messages import METHODS
from osqueue.settings import SETTINGS
from tests.house.tree import ROOT, files, place

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# In two parts each, so that this file does not name what it forbids.
NAMED_NOWHERE = [
    "".join(parts)
    for parts in [
        ("../", "shared"), ("/work/", "main"), ("/work/", "shared"), ("/opt/", "pypi"),
        ("pypi", ".org"), ("pythonhosted", ".org"), ("registry.npm", "js.org"),
        ("deb.debian", ".org"),
    ]
]  # fmt: skip


def words(document: str) -> set[str]:
    return set(re.findall(r"[\w-]+", (ROOT / document).read_text(encoding="utf-8")))


def help_texts(command: click.Command) -> str:
    """The help of a command and of all those below it."""
    context = click.Context(command, terminal_width=1_000, max_content_width=1_000)
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return "\n".join([command.get_help(context), *map(help_texts, below)])


def anchors(document: Path) -> set[str]:
    """The anchors that a reader's site makes of the headings."""
    titles = HEADING.findall(CODE_BLOCK.sub("", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_setting_is_in_the_operations_manual() -> None:
    missing = {setting.environment for setting in SETTINGS} - words("docs/operations.md")
    assert not missing, f"docs/operations.md says nothing about {sorted(missing)}"


def test_every_setting_of_the_store_is_in_its_manual() -> None:
    named = {setting.environment for setting in SETTINGS if setting.group == "storage"}
    missing = named - words("docs/storage.md")
    assert not missing, f"docs/storage.md says nothing about {sorted(missing)}"


def test_every_setting_is_in_the_help() -> None:
    from osqueue.cli import main

    shown = set(re.findall(r"[\w-]+", help_texts(cast("click.Command", main))))
    missing = {name for setting in SETTINGS for name in (setting.flag, setting.environment)} - shown
    assert not missing, f"no --help shows {sorted(missing)}"


def test_every_method_and_error_is_in_the_protocol() -> None:
    named = {*METHODS, *(error.__name__ for error in ERROR_CLASSES)}
    missing = named - words("docs/protocol.md")
    assert not missing, f"docs/protocol.md says nothing about {sorted(missing)}"


def test_every_page_and_key_is_in_the_document_of_the_page() -> None:
    document = (ROOT / "docs/page.md").read_text(encoding="utf-8").lower()
    pages = (ROOT / "webui/src/frame/pages.ts").read_text(encoding="utf-8")
    named = {(name, key) for name, key in re.findall(r'name: "(\w+)".*?key: "(\w)"', pages)}
    keys = {
        key
        for path in files(".tsx", "webui/src")
        for key in re.findall(r'keys: "([^"]+)", *\n? *what:', path.read_text(encoding="utf-8"))
    }
    assert named
    assert keys
    missing = {
        key for key in keys | {key for _, key in named} if f"`{key.lower()}`" not in document
    }
    missing |= {name for name, _ in named if name.lower() not in document}
    assert not missing, f"docs/page.md says nothing about {sorted(missing)}"


def test_every_link_leads_somewhere() -> None:
    complaints: list[str] = []
    for document in files(".md", ""):
        for link in LINK.findall(CODE_BLOCK.sub("", document.read_text(encoding="utf-8"))):
            target, _, anchor = link.partition("#")
            aim = document.parent / target if target else document
            if re.match(r"[a-z]+:", link) or (aim.exists() and not anchor):
                continue
            if not aim.is_file() or anchor not in anchors(aim):
                complaints.append(f"{place(document)}: {link} leads nowhere")
    assert not complaints, "\n".join(complaints)


def test_changelog_tells_what_is_unreleased() -> None:
    _, heading, rest = (ROOT / "CHANGELOG.md").read_text().partition("\n## [Unreleased]\n")
    unreleased = rest.partition("\n## [")[0]
    kinds = set(re.findall(r"^### (.+)$", unreleased, re.MULTILINE))
    assert heading
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    complaints = [
        f"{place(path)} names {name}"
        for path in files("", "")
        for name in NAMED_NOWHERE
        if name.encode() in path.read_bytes()
    ]
    assert not complaints, "\n".join(complaints)
