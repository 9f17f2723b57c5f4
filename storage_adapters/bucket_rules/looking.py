"""Asks a bucket for its own rules. It never fails: what cannot be found out is `Unseen`."""

from __future__ import annotations

from storage_adapters.bucket_rules import gcs_rules, s3_rules
from storage_adapters.bucket_rules.facts import BucketFacts, Unseen
from storage_adapters.contract import AccessDenied, ObjectStore, StoreError
from storage_adapters.exchanges import Answer
from storage_adapters.gcs import GcsDialect
from storage_adapters.gcs_xml import GcsXmlDialect
from storage_adapters.http_store import HttpStore
from storage_adapters.s3 import S3Dialect

__all__ = ["look_at_bucket"]

NO_ANSWER = 0
"""In place of a status: there was none."""
FORBIDDEN = 403


async def look_at_bucket(store: ObjectStore, key: str) -> BucketFacts | None:
    """Find out what the bucket of `store` does to the object under `key`, which need not exist.

    Costs a request on GCS, three on S3.

    Returns: None where the store is in no bucket.

    Cancellation: has no effect.
    """
    if not isinstance(store, HttpStore):
        return None
    match store.dialect:
        case S3Dialect(prefix=prefix):
            return BucketFacts(
                versioning=s3_rules.versioning_of(await _ask(store, s3_rules.VERSIONING)),
                rules=s3_rules.lifecycle_of(
                    await _ask(store, s3_rules.LIFECYCLE), key=prefix + key
                ),
                blocked_by=s3_rules.object_lock_of(await _ask(store, s3_rules.OBJECT_LOCK)),
                soft_delete_s=None,
            )
        case GcsXmlDialect():
            told = "with an HMAC key nobody can ask"
            return gcs_rules.unseen_facts(Unseen("unanswered", gcs_rules.PERMISSION, told))
        case GcsDialect(prefix=prefix):
            answer = await _ask(store, gcs_rules.FIELDS)
            return gcs_rules.facts_of(answer, key=prefix + key)
        case dialect:
            raise AssertionError(f"no bucket is spoken to so: {dialect!r}")


async def _ask(store: HttpStore, subject: str) -> Answer:
    try:
        return await store.ask_bucket(subject)
    except AccessDenied:
        return Answer(FORBIDDEN, {}, b"")
    except StoreError:
        return Answer(NO_ANSWER, {}, b"")
