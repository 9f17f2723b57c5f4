"""Tests which store a URL opens, and what is loaded for it."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from storage_adapters.contract import ABSENT, StoreMisconfigured
from storage_adapters.file.store import FileStore
from storage_adapters.memory import MemoryStore
from storage_adapters.opening import open_store


def test_open_memory_gives_a_memory_store() -> None:
    assert isinstance(open_store("memory:"), MemoryStore)


async def test_open_memory_with_latency_waits(autojump_clock: MockClock) -> None:
    store = open_store("memory:?latency_ms=40")
    started_s = trio.current_time()
    await store.list("")
    assert trio.current_time() - started_s == pytest.approx(0.040)


async def test_open_file_with_absolute_path_stores_there(tmp_path: Path) -> None:
    for number, url in enumerate([f"file://{tmp_path}", f"file:{tmp_path}"]):
        store = open_store(url)
        assert isinstance(store, FileStore)
        await store.put(f"key-{number}", [b"a"], condition=ABSENT)
        assert (tmp_path / f"key-{number}").read_bytes() == b"a"


async def test_open_file_with_localhost_is_absolute(tmp_path: Path) -> None:
    store = open_store(f"file://localhost{tmp_path}")
    await store.put("key", [b"a"], condition=ABSENT)
    assert (tmp_path / "key").read_bytes() == b"a"


@pytest.mark.parametrize("name", ["./osqueue-data", "osqueue-data", "a%20b?c#d"])
async def test_open_file_with_relative_path_takes_it_as_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(f"file:{name}")
    assert store.description == f"file store at {name}"
    monkeypatch.chdir("/")
    await store.put("key", [b"a"], condition=ABSENT)
    assert (tmp_path / name / "key").read_bytes() == b"a"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://bucket/prefix", "not in this version"),
        ("gs://bucket/prefix", "not in this version"),
        ("redis://localhost", "memory: or file:"),
        ("", "memory: or file:"),
        ("memory", "memory: or file:"),
        ("./osqueue-data", "memory: or file:"),
        ("memory:?latency_ms=", "whole number"),
        ("memory:?latency_ms=-1", "whole number"),
        ("memory:?latency_ms=4.5", "whole number"),
        ("memory:?latency_ms=²", "whole number"),
        ("memory:?latency=4", "latency_ms only"),
        ("memory:name", "latency_ms only"),
        ("file:", "needs a directory"),
        ("file:a\0b", "needs a directory"),
        ("file://server/share", "file:///absolute"),
        ("file://localhost", "file:///absolute"),
        ("file://", "file:///absolute"),
    ],
)
def test_open_of_wrong_url_says_what_to_correct(url: str, words: str) -> None:
    with pytest.raises(StoreMisconfigured, match=words):
        open_store(url)


def test_open_loads_only_the_adapter_asked_for() -> None:
    program = (
        "import sys; from storage_adapters.opening import open_store; open_store('memory:');"
        "print(*sorted(name for name in sys.modules if name.startswith('storage_adapters.')))"
    )
    root = Path(__file__).parents[2]
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert finished.stdout.split() == [
        "storage_adapters.contract",
        "storage_adapters.memory",
        "storage_adapters.opening",
    ]
