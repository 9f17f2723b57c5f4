"""Settings of a queue in a bucket: what it needs, and budgets that leave room for heartbeats."""

import pytest

from osqueue.settings import SettingsError, load_settings, write_gap_ms
from tests.settings.refusals import refusal

S3 = {"STORAGE_BACKEND": "s3", "S3_BUCKET": "jobs"}
GCS = {"STORAGE_BACKEND": "gcs", "GCS_BUCKET": "jobs"}


@pytest.mark.parametrize("backend", ["s3", "gcs"])
def test_bucket_store_without_a_bucket_is_refused(backend: str) -> None:
    expected = f"STORAGE_BACKEND {backend} needs {backend.upper()}_BUCKET, which is not set"
    assert refusal({"STORAGE_BACKEND": backend}) == expected


@pytest.mark.parametrize(
    "environment",
    [
        S3,
        GCS,
        {**S3, "S3_PREFIX": "team/queues/"},
        {**S3, "S3_PREFIX": "team-"},
        {**S3, "S3_ENDPOINT_URL": "https://account.example.com/storage/v1/s3"},
        {**S3, "S3_ADDRESSING_STYLE": "virtual"},
        {**GCS, "STORAGE_EMULATOR_HOST": "127.0.0.1:4443"},
        {**GCS, "STORAGE_EMULATOR_HOST": "http://127.0.0.1:4443"},
    ],
)
def test_complete_settings_of_a_bucket_are_taken(environment: dict[str, str]) -> None:
    load_settings(environment)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({**S3, "S3_BUCKET": "jobs/queue"}, "S3_BUCKET"),
        ({**S3, "S3_BUCKET": "s3://jobs"}, "S3_BUCKET"),
        ({**GCS, "GCS_BUCKET": "Jobs"}, "GCS_BUCKET"),
        ({**S3, "S3_PREFIX": "/queues/"}, "S3_PREFIX"),
        ({**S3, "S3_PREFIX": "a/../b/"}, "S3_PREFIX"),
        ({**S3, "S3_PREFIX": "a//b/"}, "S3_PREFIX"),
        ({**S3, "S3_PREFIX": "a\nb"}, "S3_PREFIX"),
        ({**GCS, "GCS_PREFIX": "./"}, "GCS_PREFIX"),
        ({**GCS, "GCS_PREFIX": "x" * 513}, "GCS_PREFIX"),
        ({**S3, "S3_ENDPOINT_URL": "s3.example.org"}, "S3_ENDPOINT_URL"),
        ({**S3, "S3_ENDPOINT_URL": "https://key:secret@s3.example.org"}, "S3_ENDPOINT_URL"),
        ({**S3, "S3_ADDRESSING_STYLE": "host"}, "S3_ADDRESSING_STYLE"),
        ({**GCS, "STORAGE_EMULATOR_HOST": "localhost"}, "STORAGE_EMULATOR_HOST"),
    ],
)
def test_malformed_name_or_address_is_refused_by_name(
    environment: dict[str, str], name: str
) -> None:
    assert refusal(environment).startswith(f"{name} must ")


@pytest.mark.parametrize("bucket", [S3, GCS])
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("S3_MAX_WRITES_PER_MINUTE", 40),
        ("S3_MAX_READS_PER_MINUTE", 40),
        ("S3_MAX_WRITES_PER_DAY", 57_600),
    ],
)
def test_budget_below_twice_the_heartbeats_is_refused_with_the_least(
    bucket: dict[str, str], name: str, least: int
) -> None:
    load_settings({**bucket, name: "0"})
    load_settings({**bucket, name: str(least)})
    message = refusal({**bucket, name: str(least - 1)})
    assert message.startswith(f"{name} ({least - 1}) must be 0 or at least {least}, twice what")
    assert "BROKER_HEARTBEAT_INTERVAL_MS (3000)" in message


def test_least_budget_follows_the_heartbeat_interval() -> None:
    slow = {**S3, "BROKER_HEARTBEAT_INTERVAL_MS": "7000", "BROKER_HEARTBEAT_TIMEOUT_MS": "21000"}
    slow["LEASE_MS"] = "42000"
    assert "at least 18, twice" in refusal({**slow, "S3_MAX_WRITES_PER_MINUTE": "17"})


def test_settings_of_a_bucket_are_of_no_concern_to_other_stores() -> None:
    load_settings({"S3_MAX_WRITES_PER_MINUTE": "1", "S3_ENDPOINT_URL": "nowhere"})
    load_settings({**GCS, "S3_BUCKET": "s3://jobs", "S3_ENDPOINT_URL": "nowhere"})


@pytest.mark.parametrize(
    ("environment", "gap_ms"),
    [
        ({}, 0),
        (S3, 0),
        (GCS, 1_000),
        ({**S3, "S3_ENDPOINT_URL": "https://4711.r2.cloudflarestorage.com"}, 1_000),
        ({**S3, "S3_ENDPOINT_URL": "https://4711.eu.r2.cloudflarestorage.com:443/"}, 1_000),
        ({**S3, "S3_ENDPOINT_URL": "https://notr2.cloudflarestorage.com"}, 0),
        ({"S3_ENDPOINT_URL": "https://4711.r2.cloudflarestorage.com"}, 0),
    ],
)
def test_gcs_and_r2_bear_one_write_a_second(environment: dict[str, str], gap_ms: int) -> None:
    assert write_gap_ms(load_settings(environment)) == gap_ms


def test_heartbeats_that_a_slow_object_cannot_keep_are_refused() -> None:
    environment = {
        "STORAGE_BACKEND": "gcs",
        "GCS_BUCKET": "jobs",
        "BROKER_HEARTBEAT_INTERVAL_MS": "999",
    }
    with pytest.raises(SettingsError, match=r"INTERVAL_MS \(999\) must be at least 1000 on GCS"):
        load_settings(environment)
    load_settings({**environment, "BROKER_HEARTBEAT_INTERVAL_MS": "1000"})
    s3 = {"STORAGE_BACKEND": "s3", "S3_BUCKET": "jobs", "BROKER_HEARTBEAT_INTERVAL_MS": "999"}
    load_settings(s3)
