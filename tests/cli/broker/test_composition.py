"""What a broker is made of."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest
import structlog

from osqueue.cli.broker import composition
from osqueue.cli.broker.composition import (
    describe_place,
    machine_name,
    make_server,
    make_store,
    place_name,
    tell_failed_renewal,
)
from osqueue.server.serving import ListenError
from osqueue.settings import Settings
from storage_adapters.contract import Absent, AccessDenied, NotApplied, StoreError
from storage_adapters.file.store import FileStore
from storage_adapters.memory import MemoryStore


def test_store_is_the_one_that_the_settings_name(tmp_path: Path) -> None:
    store = make_store(Settings(file_directory=str(tmp_path)))
    assert isinstance(store, FileStore)
    assert str(tmp_path) in store.description
    assert isinstance(make_store(Settings(storage_backend="memory")), MemoryStore)
    s3 = Settings(
        storage_backend="s3",
        s3_bucket="jobs",
        s3_prefix="team/",
        s3_endpoint_url="http://127.0.0.1:9000",
    )
    assert make_store(s3).description == "S3 store at s3://jobs/team/ on http://127.0.0.1:9000"
    gcs = Settings(storage_backend="gcs", gcs_bucket="jobs", storage_emulator_host="[::1]:9000")
    assert make_store(gcs).description == "GCS store at gs://jobs/ on http://[::1]:9000"


async def test_file_store_names_who_keeps_its_lock_before_an_attempt_to_write_is_over(
    tmp_path: Path,
) -> None:
    settings = Settings(
        file_directory=str(tmp_path),
        broker_heartbeat_interval_ms=10,
        broker_heartbeat_timeout_ms=80,
    )
    store = make_store(settings)
    await store.put("queue.json", [b"a"], condition=Absent())
    lock = os.open(tmp_path / ".file-store" / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(NotApplied, match=r"was not free for 0.01 s"):
        await store.put("other", [b"a"], condition=Absent())
    os.close(lock)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (Settings(), "queue in ./osqueue-data/queue.json"),
        (Settings(file_directory="/srv/queue/"), "queue in /srv/queue/queue.json"),
        (Settings(storage_backend="memory"), "queue in memory: it ends with this process"),
        (
            Settings(storage_backend="s3", s3_bucket="jobs", s3_prefix="a/"),
            "queue in s3://jobs/a/queue.json",
        ),
        (Settings(storage_backend="gcs", gcs_bucket="jobs"), "queue in gs://jobs/queue.json"),
    ],
)
def test_place_is_told_in_words(settings: Settings, place: str) -> None:
    assert describe_place(settings) == place


def test_free_port_is_known_to_the_broker_before_it_runs(tmp_path: Path) -> None:
    server = make_server(Settings(broker_port=0, file_directory=str(tmp_path)))
    assert server.port > 0
    assert server.broker.advertised_address == f"127.0.0.1:{server.port}"
    server.close()


def test_advertised_address_is_the_one_that_was_set(tmp_path: Path) -> None:
    server = make_server(
        Settings(
            broker_port=0,
            broker_advertised_address="queue.example.org:80",
            file_directory=str(tmp_path),
        )
    )
    assert server.broker.advertised_address == "queue.example.org:80"
    server.close()


def test_address_in_use_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(broker_port=taken.getsockname()[1], file_directory=str(tmp_path))
        with pytest.raises(ListenError, match="BROKER_PORT"):
            make_server(settings)
    assert list(tmp_path.iterdir()) == []


def test_brokers_have_names_of_their_own(tmp_path: Path) -> None:
    settings = Settings(broker_port=0, file_directory=str(tmp_path))
    first, second = make_server(settings), make_server(settings)
    assert first.broker.name != second.broker.name
    first.close()
    second.close()


def test_machine_is_named_the_same_by_every_process_of_it() -> None:
    assert machine_name() == machine_name()
    assert machine_name().split(" ")[0] == socket.gethostname()
    assert len(machine_name().split(" ")) == 3


def test_two_ports_of_one_machine_are_two_places() -> None:
    # Also where a proxy in front of them is what both advertise.
    first, second = Settings(broker_port=1), Settings(broker_port=2)
    assert place_name(first) == place_name(first)
    assert place_name(first) != place_name(second)
    assert place_name(first) != place_name(Settings(broker_port=1, broker_host="::1"))


def test_machine_without_the_files_of_linux_has_a_name_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(composition, "BOOT_ID", tmp_path / "missing")
    monkeypatch.setattr(composition, "NETWORK_NAMESPACE", tmp_path / "missing")
    assert machine_name() == machine_name()
    assert len(machine_name().split(" ")) == 3


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (AccessDenied("the role may not be assumed"), "fix the credentials or permissions"),
        (NotApplied("no answer"), "nothing, unless it is still so shortly before they end"),
    ],
)
def test_credentials_that_were_not_renewed_say_how_long_they_hold(
    error: StoreError, advice: str
) -> None:
    with structlog.testing.capture_logs() as lines:
        tell_failed_renewal(error, 1_800_000_000_999)
    [line] = lines
    assert (line["event"], line["log_level"]) == ("credentials not renewed", "warning")
    assert line["valid_until"] == "2027-01-15T08:00:00+00:00"
    assert line["reason"] == str(error)
    assert line["advice"].startswith(advice)
