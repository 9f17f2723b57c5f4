"""How large a file, a function and a folder may grow before it is two."""

import ast
from collections import Counter
from pathlib import Path

from tests.house.tree import PACKAGES, files, parsed, place

CODE = (*PACKAGES, "tests", "benchmarks")
FUNCTION_LINES_MAX = 70
LINE_CHARS_MAX = 100
FOLDER_FILES_MAX = 12


def lines_max(path: Path) -> int | None:
    """The most lines that a file may have, or None where nothing bounds it."""
    name = place(path)
    if path.suffix in (".py", ".ts", ".tsx", ".css"):
        return 700 if name.startswith(("tests/", "webui/tests/")) else 500
    if name == "README.md":
        return 200
    return 120 if name.startswith("docs/decisions/") else None


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_file_is_too_long() -> None:
    complaints: list[str] = []
    for path in files("", ""):
        most = lines_max(path)
        if most and (count := len(path.read_text(encoding="utf-8").splitlines())) > most:
            complaints.append(f"{place(path)}: {count} lines, at most {most}: make it two")
    assert not complaints, "\n".join(complaints)


def test_no_line_is_too_long() -> None:
    complaints = [
        f"{place(path)}:{number}: {len(line)} characters, at most {LINE_CHARS_MAX}"
        for path in files(".py", *CODE)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LINE_CHARS_MAX
    ]
    assert not complaints, "\n".join(complaints)


def test_no_function_is_too_long() -> None:
    complaints = [
        f"{place(path)}:{node.lineno}: {node.name} has {body_lines(node)} lines,"
        f" at most {FUNCTION_LINES_MAX}: give a part of it a name of its own"
        for path in files(".py", *CODE)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if body_lines(node) > FUNCTION_LINES_MAX
    ]
    assert not complaints, "\n".join(complaints)


def test_no_folder_holds_too_many_modules() -> None:
    # Folders of tests mirror the sources, with a file more for each aspect of a module.
    folders = (*PACKAGES, "benchmarks")
    modules = [path for path in files(".py", *folders) if path.name != "__init__.py"]
    complaints = [
        f"{place(folder)}: {count} modules, at most {FOLDER_FILES_MAX}: give a part its own folder"
        for folder, count in Counter(path.parent for path in modules).items()
        if count > FOLDER_FILES_MAX
    ]
    assert not complaints, "\n".join(complaints)
