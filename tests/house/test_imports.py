"""Who may import whom: the table of docs/architecture.md, checked over every import statement."""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.house.tree import PACKAGES, files, parsed, place

# The part of the standard library that only computes: no clock, no randomness, no I/O.
DATA_MODULES = (
    "__future__ abc array base64 binascii bisect collections copy dataclasses datetime email.utils"
    " enum fractions functools hashlib heapq hmac html itertools json math operator re string"
    " struct textwrap types typing unicodedata urllib.parse xml.etree zlib"
)
DIALECTS = (
    "storage_adapters.contract storage_adapters.s3 storage_adapters.gcs storage_adapters.signing"
    " storage_adapters.exchanges storage_adapters.gcs_xml"
)
SHELL = "osqueue.core osqueue.settings osqueue.clocks trio structlog"
SERVER = f"osqueue.server osqueue.broker osqueue.protocol quart quart_trio hypercorn {SHELL}"
CLIENT = f"osqueue.client osqueue.protocol httpx trio_websocket {SHELL}"
MAINS = "osqueue.__main__ osqueue.server.__main__ osqueue.worker.__main__"
# The first row that holds a module is its rule: its packages, and what they may import.
RULES = {
    DIALECTS: "storage_adapters.contract storage_adapters.signing storage_adapters.exchanges"
    " storage_adapters.gcs",
    "storage_adapters": "storage_adapters trio httpx zstandard cryptography",
    "osqueue.core": "osqueue.core random",
    "osqueue.settings": "osqueue.settings osqueue.core.limits",
    "osqueue.protocol": "osqueue.protocol osqueue.core",
    "osqueue.broker": f"osqueue.broker storage_adapters.contract {SHELL}",
    MAINS: "osqueue.cli",
    "osqueue.server.metrics": f"{SERVER} prometheus_client",
    "osqueue.server": SERVER,
    "osqueue.client": CLIENT,
    "osqueue.worker": f"osqueue.worker osqueue.client {SHELL}",
    "osqueue.testing": "osqueue.broker osqueue.server.dispatch osqueue.protocol osqueue.client"
    f" osqueue.worker storage_adapters.memory storage_adapters.contract {SHELL}",
    "osqueue.clocks": "trio",
    "osqueue.cli": "osqueue storage_adapters trio structlog click rich",
    "osqueue": "",
}
PURE = (DIALECTS, "osqueue.core")
# Its reading of a store, only in the programs that ask for it; the words of the contract go along.
LAZILY = {"osqueue.client.discovery": "storage_adapters.opening storage_adapters.contract"}


def is_within(name: str, packages: str) -> bool:
    return any(f"{name}.".startswith(f"{one}.") for one in packages.split())


def is_allowed(name: str, module: str, rule: str) -> bool:
    if is_within(name, "osqueue.cli"):
        return is_within(module, f"{MAINS} osqueue.cli")
    if is_within(name, f"{RULES[rule]} msgspec osqueue.__version__"):
        return True
    if rule in PURE:
        return is_within(name, DATA_MODULES)
    return name.split(".")[0] in sys.stdlib_module_names


def impurities(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What a pure module must not do with the modules that it may import for their types."""
    module_names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "random"
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(name))) if name in module_names:
                yield node.lineno, "draws from the module random; be given a random.Random"
            case ast.Call(func=ast.Name("Random")):
                yield node.lineno, "makes a Random; be given one"
            case ast.Attribute(attr="now" | "utcnow" | "today"):
                yield node.lineno, f"reads the clock by {node.attr}; be given the time"
            case _:
                pass


def names_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The full names that a statement imports: a package, or what it takes from one."""
    origin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return [f"{origin}{alias.name}" for alias in node.names]


def violations(module: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and complaint for everything in the module that its rule forbids."""
    rule = next(packages for packages in RULES if is_within(module, packages))
    if rule in PURE:
        yield from impurities(tree)
    at_the_top = set(tree.body)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for name in names_of(node):
            late = node not in at_the_top and is_within(name, LAZILY.get(module, ""))
            if not late and not is_allowed(name, module, rule):
                data = " and stdlib data modules" if rule in PURE else ""
                yield node.lineno, f"imports {name}; may import {RULES[rule]} msgspec{data}"


def test_every_import_keeps_to_the_table() -> None:
    complaints: list[str] = []
    for path in files(".py", *PACKAGES):
        module = place(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        found = violations(module, parsed(path))
        complaints += [f"{place(path)}:{line}: {module} {text}" for line, text in found]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("module", "source", "allowed"),
    [
        ("osqueue", "import httpx", False),
        ("osqueue.core.job", "import time", False),
        ("osqueue.core.job", "from urllib import request", False),
        ("osqueue.core.job", "from osqueue import settings", False),
        ("osqueue.core.job", "import random\nx = random.random()", False),
        ("osqueue.core.job", "import random as r\nx = r.Random(1)", False),
        ("osqueue.core.job", "from random import Random\nx = Random(1)", False),
        ("osqueue.core.job", "from random import Random\ndef f(r: Random): r.random()", True),
        ("osqueue.core.job", "import datetime\nx = datetime.datetime.now()", False),
        ("osqueue.settings", "from osqueue.core import job", False),
        ("osqueue.protocol.codec", "def late():\n    import trio", False),
        ("osqueue.broker.broker", "from storage_adapters import memory", False),
        ("osqueue.broker.broker", "from storage_adapters.contract import ObjectStore", True),
        ("osqueue.server.app", "import prometheus_client", False),
        ("osqueue.server.app", "from osqueue.cli import main", False),
        ("osqueue.server.__main__", "from osqueue.cli import main", True),
        ("osqueue.client.client", "def f():\n    import storage_adapters.opening", False),
        ("osqueue.client.discovery", "import storage_adapters.opening", False),
        ("osqueue.client.discovery", "def f():\n    import storage_adapters.opening", True),
        ("osqueue.worker.worker", "from osqueue import broker", False),
        ("storage_adapters.s3", "import httpx", False),
        ("storage_adapters.file.store", "from osqueue.core import job", False),
    ],
)
def test_the_check_itself_tells_allowed_from_forbidden(
    module: str, source: str, allowed: bool
) -> None:
    assert list(violations(module, ast.parse(source))) is not allowed
