"""What keeps a broker from a bucket, as its operator sees it: one line that says what to do.

Real processes on real servers. Each ends by itself with status 1, and never with a traceback.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests.cli.processes import run_osqueue
from tests.emulators.peers import Peers
from tests.emulators.programs import free_port

pytestmark = pytest.mark.slow

ROOT_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
GCS = {"STORAGE_BACKEND": "gcs", "GCS_BUCKET": "jobs", "NO_GCE_CHECK": "true"}


def ending(directory: Path, given: dict[str, str]) -> tuple[str, str]:
    """The last line of a broker that cannot start: message and advice."""
    nobody = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(directory)}
    ended = run_osqueue(["server", "--broker-port", "0"], directory, nobody | given)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    lines = [msgspec.json.decode(line) for line in ended.stderr.splitlines()]
    assert [line["event"] for line in lines[:-1]] == ["broker starting"]
    assert lines[-1]["status"] == 1
    return lines[-1]["event"], lines[-1]["advice"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the secret key does not belong to the access key"),
        ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"}, "the store does not know this access key"),
        ({"AWS_SESSION_TOKEN": "expired"}, "the credentials are not valid any more; renew them"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials found; set AWS_"),
        (
            {**ROOT_KEYS, "S3_BUCKET": "not-there"},
            "correct the bucket or the endpoint of the S3 store at s3://not-there/",
        ),
    ],
)
def test_wrong_setting_of_s3_is_named(
    given: dict[str, str], message: str, peers: Peers, tmp_path: Path
) -> None:
    told, advice = ending(tmp_path, peers.ministack.environment | given)
    assert told.startswith(message)
    assert told.endswith("(in the step 'create' of the proof at the start)")
    assert advice.startswith("fix the ")


def test_user_without_permission_is_told_which(peers: Peers, tmp_path: Path) -> None:
    keys = peers.ministack.make_user("may-nothing")
    told, _ = ending(tmp_path, peers.ministack.environment | keys)
    assert told.startswith("these credentials may not write; fix the permissions: 403")
    assert "s3:PutObject" in told


def test_store_that_cannot_be_reached_or_speaks_no_https_is_named(
    peers: Peers, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    s3 = peers.ministack.environment
    https = s3["S3_ENDPOINT_URL"].replace("http:", "https:")
    gone = (
        {**s3, "S3_ENDPOINT_URL": f"http://{address}"},
        {**GCS, "STORAGE_EMULATOR_HOST": address},
    )
    # Together: each asks again for seconds before it gives up.
    with ThreadPoolExecutor() as threads:
        *unreached, mistaken = threads.map(
            partial(ending, tmp_path), (*gone, {**s3, "S3_ENDPOINT_URL": https})
        )
    for told, advice in unreached:
        assert told.startswith("the store cannot be reached: ConnectError")
        assert address in told
        assert advice == "check the store's address and the way to it, then try again"
    assert "its address says https, but it does not speak that" in mistaken[0]


def test_bucket_of_gcs_that_is_not_there_is_named(peers: Peers, tmp_path: Path) -> None:
    told, _ = ending(tmp_path, {**peers.fake_gcs.environment, "GCS_BUCKET": "not-there"})
    assert told.startswith("there is no such bucket; create it, or correct its name: GCS store at")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "GOOGLE_APPLICATION_CREDENTIALS names no file; correct it"),
        ("[", "the file of GOOGLE_APPLICATION_CREDENTIALS cannot be understood"),
        (
            json.dumps(
                {
                    "type": "service_account",
                    "client_email": "a@example.org",
                    "private_key": "none",
                    "private_key_id": "1",
                }
            ),
            "private_key in the file of GOOGLE_APPLICATION_CREDENTIALS is no RSA key",
        ),
    ],
)
def test_wrong_file_of_a_service_account_is_named(
    content: str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "account.json"
    if content is not None:
        path.write_text(content)
    told, _ = ending(tmp_path, {**GCS, "GOOGLE_APPLICATION_CREDENTIALS": str(path)})
    assert told.startswith(message)


def test_no_credentials_of_google_names_where_they_are_looked_for(tmp_path: Path) -> None:
    told, _ = ending(tmp_path, GCS)
    assert told.startswith("no credentials found; name a file by GOOGLE_APPLICATION_CREDENTIALS")
