"""The doctor as a process: on a file store with a broker in it, and on real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.processes import run_osqueue, started_broker
from tests.emulators.peers import Peers

pytestmark = pytest.mark.slow

QUICK = ["--rounds", "3"]


def examined(directory: Path, *arguments: str, **given: str) -> tuple[int, dict[str, Any]]:
    """The exit status and the report."""
    ended = run_osqueue(["doctor", "--json", *QUICK, *arguments], directory, given)
    assert ended.stderr == ""
    return ended.returncode, msgspec.json.decode(ended.stdout)


def test_store_of_a_running_broker_is_examined_and_its_queue_left_alone(tmp_path: Path) -> None:
    with started_broker(tmp_path) as broker:
        status, report = examined(tmp_path)
        assert (status, report["isFine"], report["findings"]) == (0, True, [])
        assert report["queue"]["broker"] == f"127.0.0.1:{broker.port}"
        assert report["race"]["roundsWon"] == 3
        assert report["writes"]["samples"] == 3
    document = msgspec.json.decode((tmp_path / "osqueue-data" / "queue.json").read_bytes())
    assert document["epoch"] == report["queue"]["epoch"]


def test_report_for_a_person_ends_with_the_verdict(tmp_path: Path) -> None:
    ended = run_osqueue(["doctor", *QUICK, "--write-price", "5", "--read-price", "0"], tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "keeps conditions: 5 steps" in ended.stdout
    assert "$26.30 at $5 and $0 a million (as given)" in ended.stdout
    assert ended.stdout.endswith("a queue can live here\n")


def test_wrong_setting_is_status_2_as_with_a_broker(tmp_path: Path) -> None:
    ended = run_osqueue(["doctor", "--storage-backend", "s3"], tmp_path)
    assert ended.returncode == 2
    assert "STORAGE_BACKEND s3 needs S3_BUCKET" in ended.stderr


@pytest.mark.parametrize("name", ["ministack", "moto"])
def test_good_s3_store_is_fine(name: str, peers: Peers, tmp_path: Path) -> None:
    given = {**getattr(peers, name).environment, "S3_PREFIX": "doctor/"}
    status, report = examined(tmp_path, "--write-price", "5", "--read-price", "0.4", **given)
    assert (status, report["findings"]) == (0, [])
    assert report["store"].startswith("S3 store at s3://osqueue-tests/doctor/")
    assert (report["race"]["roundsWon"], report["race"]["lost"]) == (3, 0)
    assert abs(report["clockOffsetMs"]) < 2_000
    assert report["costs"]["usdPerMonth"] == 27.0


def test_good_gcs_store_is_fine_at_its_own_pace(peers: Peers, tmp_path: Path) -> None:
    arguments = ("--racers", "2", "--rounds", "1")
    status, report = examined(tmp_path, *arguments, **peers.fake_gcs.environment)
    assert (status, report["findings"]) == (0, [])
    assert report["costs"]["writesPerS"] == 1
    assert sum(step["milliseconds"] for step in report["proof"]) < 3_000


@pytest.mark.parametrize(
    ("name", "step"),
    [("rclone", "create again"), ("localbucket", "replace under the old version")],
)
def test_store_that_ignores_conditions_is_a_problem(
    name: str, step: str, peers: Peers, tmp_path: Path
) -> None:
    given = {**getattr(peers, name).environment, "S3_PREFIX": "doctor/"}
    status, report = examined(tmp_path, **given)
    assert (status, report["isFine"]) == (1, False)
    [finding] = report["findings"]
    assert (finding["level"], finding["check"]) == ("problem", "proof")
    assert repr(step) in finding["message"]


def test_wrong_keys_are_a_problem_that_names_the_permission(peers: Peers, tmp_path: Path) -> None:
    given = {**peers.ministack.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
    status, report = examined(tmp_path, **given)
    assert status == 1
    [finding] = report["findings"]
    assert (finding["level"], finding["check"]) == ("problem", "queue")
    assert "SignatureDoesNotMatch" in finding["message"]
