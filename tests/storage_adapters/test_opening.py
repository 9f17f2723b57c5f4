"""Tests which store a URL opens, and what is loaded for it."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from storage_adapters.contract import ABSENT, StoredObject, StoreMisconfigured
from storage_adapters.file.store import FileStore
from storage_adapters.http_store import HttpStore
from storage_adapters.memory import MemoryStore
from storage_adapters.opening import open_store
from tests.emulators.peers import BUCKET, Peers
from tests.storage_adapters.scripted_bucket import ScriptedBucket, answer


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
        ("redis://localhost", "memory:, file:, s3: or gs:"),
        ("", "memory:, file:, s3: or gs:"),
        ("memory", "memory:, file:, s3: or gs:"),
        ("./osqueue-data", "memory:, file:, s3: or gs:"),
        ("s3:bucket", "s3://BUCKET/PREFIX"),
        ("s3://", "bucket's name"),
        ("s3://bucket#a", "s3://BUCKET/PREFIX"),
        ("s3://bucket?regions=a", "takes the parameters region"),
        ("s3://bucket?region=A%20B", "a region is a name"),
        ("s3://bucket?quoted_etags=true", "yes or no"),
        ("s3://bucket?addressing_style=host", "auto or path or virtual"),
        ("s3://bucket?endpoint_url=localhost:9000", "endpoint of an S3 store"),
        ("gs:bucket", "s3://BUCKET/PREFIX"),
        ("gs://", "bucket's name"),
        ("gs://bucket?region=a", "endpoint_url only"),
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


@pytest.mark.parametrize(
    ("url", "environment", "description", "origin"),
    [
        (
            "s3://bucket",
            {},
            "S3 store at s3://bucket/",
            "https://bucket.s3.us-east-1.amazonaws.com",
        ),
        (
            "s3://bucket/a%20b/?addressing_style=path&quoted_etags=no",
            {"AWS_DEFAULT_REGION": "eu-west-1"},
            "S3 store at s3://bucket/a b/",
            "https://s3.eu-west-1.amazonaws.com",
        ),
        (
            "s3://bucket/?region=auto&endpoint_url=https://id.r2.cloudflarestorage.com",
            {"AWS_REGION": "eu-west-1"},
            "S3 store at s3://bucket/ on https://id.r2.cloudflarestorage.com",
            "https://id.r2.cloudflarestorage.com",
        ),
        ("gs://bucket/a/", {}, "GCS store at gs://bucket/a/", "https://storage.googleapis.com"),
        (
            "gs://bucket/",
            {"STORAGE_EMULATOR_HOST": "127.0.0.1:9000"},
            "GCS store at gs://bucket/ on http://127.0.0.1:9000",
            "http://127.0.0.1:9000",
        ),
        (
            "gs://bucket/?endpoint_url=https://proxy.example",
            {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:9000"},
            "GCS store at gs://bucket/ on https://proxy.example",
            "https://proxy.example",
        ),
    ],
)
async def test_open_bucket_takes_what_url_and_environment_say(
    url: str, environment: dict[str, str], description: str, origin: str
) -> None:
    store = open_store(url, environment=environment)
    assert store.description == description
    assert isinstance(store, HttpStore)
    dialect = store._dialect  # pyright: ignore[reportPrivateUsage]
    assert dialect.read("a", if_changed_from=None, head_bytes=None).origin == origin
    assert getattr(dialect, "quotes_etags", True) is ("quoted_etags=no" not in url)
    await store.aclose()


async def test_opened_buckets_find_their_credentials(peers: Peers) -> None:
    s3, gcs, xml = peers.ministack, peers.fake_gcs, peers.xml_gcs
    for url, environment in (
        (f"s3://{BUCKET}/opened/?region=eu-central-1&endpoint_url={s3.url}", s3.environment),
        (f"gs://{BUCKET}/opened/", gcs.environment),
        (f"gs://{BUCKET}/opened/?endpoint_url={xml.url}", xml.environment),
    ):
        store = open_store(url, environment=environment)
        version = await store.put("key", [b"a"], condition=ABSENT)
        assert await store.read("key") == StoredObject(b"a", version)
        assert await store.list("") == ["key"]
        await store.aclose()
    for peer in (s3, gcs, xml):
        whole = peer.open()
        assert await whole.list("opened/") == ["opened/key"]
        await whole.aclose()


async def test_opened_bucket_finds_keys_in_the_home_of_its_environment(
    peers: Peers, tmp_path: Path
) -> None:
    s3 = peers.ministack
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        f"[default]\naws_access_key_id = {s3.keys.access_key_id}\n"
        f"aws_secret_access_key = {s3.keys.secret_access_key}\n"
    )
    url = f"s3://{BUCKET}/at-home/?region=eu-central-1&endpoint_url={s3.url}"
    store = open_store(url, environment={"HOME": str(tmp_path)})
    assert await store.list("") == []
    await store.aclose()


@pytest.mark.parametrize(
    ("parameter", "variables", "region"),
    [
        ("", {}, "eu-north-1"),
        ("", {"AWS_PROFILE": "other"}, "us-east-1"),
        ("", {"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ("", {"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-3"}, "eu-west-3"),
        ("&region=eu-south-1", {"AWS_REGION": "eu-west-3"}, "eu-south-1"),
    ],
)
async def test_region_is_that_of_the_url_the_environment_or_the_profile(
    parameter: str, variables: dict[str, str], region: str, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = eu-north-1\n[profile other]\n")
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    environment = {"HOME": str(tmp_path), **keys, **variables}
    async with ScriptedBucket().serve() as bucket:
        bucket.script += [answer(200, b"a", etag='"a"'), answer(200, b"a", etag='"a"')]
        store = open_store(
            f"s3://jobs/?endpoint_url={bucket.url}{parameter}", environment=environment
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.read, "queue.json")
            nursery.start_soon(store.read, "queue.json")
        await store.aclose()
    for request in bucket.requests:
        assert f"/{region}/s3/aws4_request" in request.headers["authorization"]


async def test_bucket_is_opened_for_a_user_without_a_home(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    s3 = peers.ministack
    url = f"s3://{BUCKET}/homeless/?region=eu-central-1&endpoint_url={s3.url}"
    store = open_store(url, environment=s3.environment)
    assert await store.list("") == []
    await store.aclose()


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
