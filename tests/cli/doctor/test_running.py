"""The doctor as a process: on a file store with a broker in it, and on real servers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.processes import run_osqueue, started_broker
from tests.emulators.peers import MINIMAL_POLICY, Peers
from tests.house.tree import ROOT

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
    assert status == 0
    # The user of ministack may do no more than a broker must.
    messages = [finding["message"] for finding in report["findings"]]
    unseen = "these credentials may not look at the bucket's versioning, lifecycle rules, retention"
    assert messages == ([f"{unseen}: not known"] if name == "ministack" else [])
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
    finding, *others = report["findings"]
    assert (finding["level"], finding["check"]) == ("problem", "proof")
    # rclone answers any question about the bucket with a listing of it, which is no "off".
    assert {one["check"] for one in others} <= {"bucket"}
    assert repr(step) in finding["message"]


def test_bucket_whose_rules_would_lose_the_queue_is_a_problem(peers: Peers, tmp_path: Path) -> None:
    expire = "<Status>Enabled</Status><Expiration><Days>7</Days></Expiration>"
    given = peers.ministack.make_bucket(
        "keeps-and-expires",
        versioning="<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        lifecycle=f"<LifecycleConfiguration><Rule><ID>tidy</ID><Filter><Prefix/></Filter>{expire}"
        "</Rule></LifecycleConfiguration>",
    )
    status, report = examined(tmp_path, **given)
    assert status == 1
    assert [(finding["level"], finding["check"]) for finding in report["findings"]] == [
        ("problem", "bucket"),
        ("warning", "bucket"),
    ]
    assert "rule 'tidy' removes it 7 days after" in report["findings"][0]["message"]
    assert "172,800 copies of 64 KiB, 10.5 GiB more each day" in report["findings"][1]["message"]
    assert report["bucket"][0] == {"name": "versioning", "isKnown": True, "told": "on"}


def test_bucket_that_is_not_there_is_the_only_finding(peers: Peers, tmp_path: Path) -> None:
    root = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for given, check in (
        ({**peers.ministack.environment, **root, "S3_BUCKET": "not-there"}, "queue"),
        ({**peers.fake_gcs.environment, "GCS_BUCKET": "not-there"}, "proof"),
    ):
        status, report = examined(tmp_path, **given)
        assert status == 1
        [finding] = report["findings"]
        assert (finding["level"], finding["check"]) == ("problem", check)
        assert "not-there" in finding["message"]
        assert report["bucket"] is None


def test_policies_of_the_manual_are_enough(peers: Peers, tmp_path: Path) -> None:
    manual = (ROOT / "docs/storage.md").read_text(encoding="utf-8")
    of_broker, of_doctor = re.findall(r"^```json\n(.*?)^```", manual, re.MULTILINE | re.DOTALL)
    peer = peers.ministack
    given = {**peer.make_bucket("jobs"), "S3_PREFIX": "team/"}
    both = peer.make_user("manual-doctor", of_broker, of_doctor)
    status, report = examined(tmp_path, **given | both)
    assert (status, report["findings"]) == (0, [])
    assert all(aspect["isKnown"] for aspect in report["bucket"])
    status, report = examined(tmp_path, **given | peer.make_user("manual-broker", of_broker))
    assert status == 0
    [finding] = report["findings"]
    assert "may not look at" in finding["message"]
    for action in json.loads(of_doctor)["Statement"][0]["Action"]:
        assert action in finding["advice"]


@pytest.mark.parametrize(
    ("action", "level"),
    [
        ("s3:GetObject", "problem"),
        ("s3:PutObject", "problem"),
        ("s3:DeleteObject", "warning"),
        # S3 would hide that no queue is there yet; ministack does not.
        ("s3:ListBucket", "warning"),
    ],
)
def test_missing_permission_is_named(action: str, level: str, peers: Peers, tmp_path: Path) -> None:
    policy = json.dumps(MINIMAL_POLICY).replace(action, "s3:GetObjectTagging")
    name = f"without-{action.removeprefix('s3:')}"
    keys = peers.ministack.make_user(name, policy)
    given = {**peers.ministack.environment, "S3_PREFIX": f"{name}/"}
    status, report = examined(tmp_path, **given | keys)
    assert status == (1 if level == "problem" else 0)
    named = [
        finding["level"]
        for finding in report["findings"]
        if finding["check"] == "permissions" and f"allow {action} on" in finding["advice"]
    ]
    assert named == [level]


def test_wrong_keys_are_a_problem_that_names_the_permission(peers: Peers, tmp_path: Path) -> None:
    given = {**peers.ministack.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
    status, report = examined(tmp_path, **given)
    assert status == 1
    [finding] = report["findings"]
    assert (finding["level"], finding["check"]) == ("problem", "queue")
    assert "SignatureDoesNotMatch" in finding["message"]
