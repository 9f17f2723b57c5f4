"""What is written nowhere in this house, each with what to write instead."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import PACKAGES, files, parsed, place

CATCH_ALL = ("osqueue/worker/", "osqueue/server/hypercorn_guard.py")
"""Where an unexpected exception is an answer: handlers that are not ours, and peers' bytes."""
VAGUE_NAMES = {"utils", "common", "helpers", "base", "manager", "service", "types", "models"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
IN_TESTS = {
    "time.sleep": "the autojump clock, or an event",
    "unittest.mock": "a fake with a name",
    "pytest.skip": "make it run",
    "pytest.xfail": "make it pass",
    "pytest.importorskip": "add the dependency",
    "pytest.mark.skip": "make it run",
    "pytest.mark.skipif": "make it run",
    "pytest.mark.xfail": "make it pass",
}


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether it catches everything, bugs included, and does not raise it again."""
    caught = {"BaseException"} if handler.type is None else set(names(handler.type))
    ends_raised = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
    return bool(caught & {"Exception", "BaseException"}) and not ends_raised


def names(tree: ast.AST) -> Iterator[str]:
    """Every name that is used or imported, with what is reached through it: `time.sleep`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            origin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            yield from (f"{origin}{alias.name}" for alias in node.names)


def test_nothing_is_left_unfinished() -> None:
    complaints = [
        f"{place(path)}:{number}: unfinished; do it, or make it an issue"
        for path in (*files(".py", ""), *files("Makefile", ""), *files("run", ".ci"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert not complaints, "\n".join(complaints)


def test_only_workers_catch_every_exception() -> None:
    complaints = [
        f"{place(path)}:{node.lineno}: hides bugs; catch what is expected, let the rest fall"
        for path in files(".py", *PACKAGES)
        if not place(path).startswith(CATCH_ALL)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler) and swallows(node)
    ]
    assert not complaints, "\n".join(complaints)


def test_tests_neither_sleep_nor_mock_nor_skip() -> None:
    complaints = {
        f"{place(path)}: uses {banned}; instead: {IN_TESTS[banned]}"
        for path in files(".py", "tests")
        for name in names(parsed(path))
        for banned in IN_TESTS
        if f"{name}.".startswith(f"{banned}.")
    }
    assert not complaints, "\n".join(sorted(complaints))


def test_no_file_has_a_name_that_says_nothing() -> None:
    complaints = [
        f"{place(path)}: call it by what it holds"
        for path in files(".py", *PACKAGES, "tests")
        if VAGUE_NAMES & {word for part in Path(place(path)).parts for word in stem_words(part)}
    ]
    assert not complaints, "\n".join(complaints)


def stem_words(part: str) -> list[str]:
    return part.removesuffix(".py").split("_")


def test_every_module_says_what_is_public() -> None:
    complaints = [
        f"{place(path)}: has no __all__"
        for path in files(".py", *PACKAGES)
        if path.name not in ("__init__.py", "__main__.py")
        if not any(
            isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in names(node)
            for node in parsed(path).body
        )
    ]
    assert not complaints, "\n".join(complaints)
