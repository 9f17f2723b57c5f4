"""The XML API of Google Cloud Storage as its documentation describes it, for one bucket in memory.

python -m tests.emulators.xml_gcs PORT ACCESS_ID SECRET BUCKET

No emulator that can be installed speaks this API with conditions, and none checks signatures of
HMAC keys. This one does both, by its own derivation of the signature.
"""

import hashlib
import hmac
import itertools
import sys
import threading
from base64 import b64encode
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

__all__: list[str] = []

PAGE_KEYS = 3
"""Small, so that every listing has several pages."""
SKEW_S_MAX = 900


class Bucket:
    """Objects with their generations; used under its lock."""

    def __init__(self, name: str, access_id: str, secret: str) -> None:
        self.name = name
        self.access_id = access_id
        self.secret = secret
        self.lock = threading.Lock()
        self.objects: dict[str, tuple[str, bytes]] = {}
        self.generations = itertools.count(1_700_000_000_000_000)


class Handler(BaseHTTPRequestHandler):
    """Answers one request after the other on a connection."""

    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_GET(self) -> None:
        self.serve()

    def do_PUT(self) -> None:
        self.serve()

    def do_DELETE(self) -> None:
        self.serve()

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = urlsplit(self.path)
        _, bucket, key = parts.path.split("/", 2)
        if refusal := self.refused(body):
            self.say(403, refusal)
        elif bucket != self.bucket.name:
            self.say(404, "NoSuchBucket")
        elif not key:
            self.list(dict(parse_qsl(parts.query)))
        else:
            with self.bucket.lock:
                getattr(self, f"{self.command.lower()}_object")(unquote(key), body)

    def get_object(self, key: str, body: bytes) -> None:
        if key not in self.bucket.objects:
            return self.say(404, "NoSuchKey")
        generation, data = self.bucket.objects[key]
        checksum = b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        headers = {"x-goog-generation": generation, "etag": etag_of(data)}
        headers["x-goog-hash"] = f"crc32c=AAAAAA==,md5={checksum}"
        if self.headers.get("if-none-match") == headers["etag"]:
            return self.say(304, headers=headers)
        if (span := self.headers.get("range")) is not None:
            if not data:
                return self.say(416, "InvalidRange")
            end = int(span.removeprefix("bytes=0-")) + 1
            headers["content-range"] = f"bytes 0-{min(end, len(data)) - 1}/{len(data)}"
            return self.say(206, data[:end], headers=headers)
        return self.say(200, data, headers=headers)

    def put_object(self, key: str, body: bytes) -> None:
        stored = self.bucket.objects.get(key, ("0", b""))[0]
        if self.headers.get("x-goog-if-generation-match", stored) != stored:
            return self.say(412, "PreconditionFailed")
        generation = str(next(self.bucket.generations))
        self.bucket.objects[key] = (generation, body)
        return self.say(200, headers={"x-goog-generation": generation, "etag": etag_of(body)})

    def delete_object(self, key: str, body: bytes) -> None:
        if self.bucket.objects.pop(key, None) is None:
            return self.say(404, "NoSuchKey")
        return self.say(204)

    def list(self, parameters: dict[str, str]) -> None:
        assert parameters["list-type"] == "2"
        with self.bucket.lock:
            keys = sorted(self.bucket.objects, key=str.encode)
        start = parameters.get("continuation-token", "")
        left = [key for key in keys if key.startswith(parameters["prefix"]) and key >= start]
        entries = "".join(
            f"<Contents><Key>{escape(quote(key))}</Key></Contents>" for key in left[:PAGE_KEYS]
        )
        more = left[PAGE_KEYS:]
        token = f"<NextContinuationToken>{escape(more[0])}</NextContinuationToken>" if more else ""
        page = (
            "<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>"
            f"<EncodingType>url</EncodingType><IsTruncated>{'true' if more else 'false'}"
            f"</IsTruncated>{token}{entries}</ListBucketResult>"
        )
        self.say(200, page.encode())

    def refused(self, body: bytes) -> str:
        """The code of a refusal, empty where the signature is right."""
        words = self.headers.get("authorization", "").replace(", ", " ").split(" ")
        if len(words) != 4 or words[0] != "GOOG4-HMAC-SHA256":
            return "MissingSecurityHeader"
        fields = dict(word.split("=", 1) for word in words[1:])
        access_id, scope = fields["Credential"].split("/", 1)
        at, hashed = self.headers["x-goog-date"], self.headers["x-goog-content-sha256"]
        age_s = datetime.now(UTC) - datetime.strptime(at, "%Y%m%dT%H%M%S%z")
        if abs(age_s.total_seconds()) > SKEW_S_MAX:
            return "RequestTimeTooSkewed"
        names = fields["SignedHeaders"].split(";")
        goog = {name.lower() for name in self.headers if name.lower().startswith("x-goog-")}
        is_whole = {"host", *goog} <= set(names) and names == sorted(names)
        path, _, query = self.path.partition("?")
        canonical = "\n".join(
            [
                self.command,
                quote(unquote(path), safe="/~"),
                "&".join(sorted(query.split("&"))),
                *(f"{name}:{' '.join(self.headers[name].split())}" for name in names),
                "",
                fields["SignedHeaders"],
                hashed,
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"GOOG4{self.bucket.secret}".encode()
        for part in (at[:8], "auto", "storage", "goog4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = f"GOOG4-HMAC-SHA256\n{at}\n{at[:8]}/auto/storage/goog4_request\n{digest}"
        is_right = (
            access_id == self.bucket.access_id
            and scope == f"{at[:8]}/auto/storage/goog4_request"
            and hashed == hashlib.sha256(body).hexdigest()
            and hmac.digest(key, to_sign.encode(), "sha256").hex() == fields["Signature"]
        )
        return "" if is_whole and is_right else "SignatureDoesNotMatch"

    def say(
        self, status: int, body: bytes | str = b"", *, headers: dict[str, str] | None = None
    ) -> None:
        if isinstance(body, str):
            body = f"<Error><Code>{body}</Code><Message>Words.</Message></Error>".encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests look at the answers."""


def etag_of(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


if __name__ == "__main__":
    port, access_id, secret, name = sys.argv[1:]
    Handler.bucket = Bucket(name, access_id, secret)
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
