"""Things between a broker and its bucket: they answer in the store's place, or send a write twice
and hand on the answer to the second copy.

Only the raw answers are made up here. The adapter's dialects and the broker's own table of errors
read them, so that a wrong reading is found like any other fault.
"""

from __future__ import annotations

import random as random_module

from osqueue.broker.store_calls import failure_of
from storage_adapters.contract import (
    ABSENT,
    AccessDenied,
    Match,
    ObjectMissing,
    StoreError,
    StoreUnavailable,
    Unchanged,
    Version,
)
from storage_adapters.exchanges import Answer, Dialect
from storage_adapters.gcs import GcsDialect
from storage_adapters.s3 import S3Dialect
from tests.simulation.checkers.views import Violation

__all__ = ["REFUSALS_OF_COPIES", "Intermediaries"]

_KEY = "queue.json"
_PAGE = b"<!DOCTYPE html><html><head><title>%d</title></head><body>Told by nginx</body></html>"
_STATUSES = (200, 204, 302, 304, 401, 403, 404, 405, 409, 412, 501)
REFUSALS_OF_COPIES = {
    409: ("ConditionalRequestConflict", "conflict"),
    403: ("AccessDenied", "forbidden"),
}
"""Refusals of a second copy by another reason than its condition, in words of S3 and of Google."""

Told = tuple[str, *tuple[object, ...]]
"""The end of a call, as the simulated store tells it: its kind, and what belongs to that."""


class Intermediaries:
    """The road to one bucket: of S3, or of Google."""

    def __init__(self, random: random_module.Random, *, is_s3: bool) -> None:
        self._random = random
        self._is_s3 = is_s3
        self._dialect: Dialect = S3Dialect("bucket") if is_s3 else GcsDialect("bucket")

    def refuse_write(self, status: int, base_version: str | None) -> Told:
        """The store's own refusal, in its own words."""
        code, reason = REFUSALS_OF_COPIES.get(status, ("SlowDown", "rateLimitExceeded"))
        body = f"<Error><Code>{code}</Code><Message>Told.</Message></Error>"
        if not self._is_s3:
            body = f'{{"error": {{"message": "Told.", "errors": [{{"reason": "{reason}"}}]}}}}'
        return self._read_write(Answer(status, {}, body.encode()), base_version)

    def answer_write(self, base_version: str | None) -> Told:
        """Somebody else answers, whatever became of the write."""
        return self._read_write(self._foreign(), base_version)

    def answer_read(
        self, if_changed_from: str | None, head_bytes: int | None, *, is_stored: bool
    ) -> Told:
        """Somebody else answers; the store was not asked."""
        answer = self._foreign()
        known = None if if_changed_from is None else Version(if_changed_from)
        try:
            found = self._dialect.found(answer, _KEY, known=known, head_bytes=head_bytes)
        except ObjectMissing:
            if is_stored:
                raise Violation("absence", f"{answer} is read as a queue that is gone") from None
            return ("missing",)
        except (AccessDenied, StoreUnavailable):
            return ("failed",)
        except StoreError as error:
            raise Violation("foreign answers", f"{answer} ends the broker: {error}") from None
        if isinstance(found, Unchanged):
            return ("unchanged",)
        return "loaded", found.data, found.version

    def _read_write(self, answer: Answer, base_version: str | None) -> Told:
        condition = ABSENT if base_version is None else Match(Version(base_version))
        try:
            return "succeeded", self._dialect.written(answer, _KEY, condition=condition)
        except StoreError as error:
            kind = failure_of(error)
            if kind is None:
                raise Violation("foreign answers", f"{answer} ends the broker: {error}") from None
            return (kind,)

    def _foreign(self) -> Answer:
        random = self._random
        status = random.choice(_STATUSES)
        page = {"server": "nginx", "content-type": "text/html", "etag": '"65a1b2c3-264"'}
        return random.choice([
            Answer(status, page, _PAGE % status),
            Answer(status, {"content-type": "text/plain"}, b"404 page not found\n"),
            Answer(status, {"content-type": "application/json"}, b'{"message": "no route"}'),
            Answer(status, {}, b""),
        ])  # fmt: skip
