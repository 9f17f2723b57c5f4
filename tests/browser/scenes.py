"""What lies in the queue when a page is looked at: a shop on a busy day, in every status."""

from __future__ import annotations

from osqueue.client.blocking import BlockingClient
from osqueue.client.requests import JobError, NewJob

__all__ = ["DEAD_JOB_ID", "SEEN_JOB_ID", "fill_queue", "submit_numbered"]

DEAD_JOB_ID = "order-48211-receipt"
SEEN_JOB_ID = "report-2026-11"
TYPES = ("email:send", "invoice:render", "thumbnail:make")
KEPT_MS = 3_600_000
FRAME_JOBS = 10_000
"""As many jobs go into one request."""
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/handlers.py", line 41, in send_receipt
    reply = smtp.send(message, timeout_s=10)
  File "/srv/shop/smtp.py", line 118, in send
    raise SmtpRefused(reply.code, reply.text)
shop.smtp.SmtpRefused: 451 4.7.1 greylisted, try again later"""
REFUSED = JobError(
    type="SmtpRefused", message="451 4.7.1 greylisted, try again later", traceback=TRACEBACK
)
TIMED_OUT = JobError(type="TimeoutError", message="the renderer did not answer within 30 s")
MISSING = JobError(type="FileNotFoundError", message="[Errno 2] no such file: 'photos/8812.jpg'")


def fill_queue(client: BlockingClient, *, waiting: int = 120) -> None:
    """Jobs that wait, run, are scheduled, are done and kept, and are dead in three groups.

    Twelve of those that wait are running in the end.
    """
    bury(client, "email:send", REFUSED, 3)
    bury(client, "invoice:render", TIMED_OUT, 1)
    bury(client, "thumbnail:make", MISSING, 2)
    client.submit(
        {"to": "ada@example.org", "order": 48_211, "template": "receipt"},
        type="email:send",
        job_id=DEAD_JOB_ID,
        max_attempts=2,
        unique_key="receipt-48211",
    )
    fail(client, "email:send", REFUSED, attempts=2)
    complete(client)
    client.submit_many(
        NewJob(
            payload={"kind": "digest", "week": 40 + number},
            type="report:weekly",
            delay_ms=600_000 + 60_000 * number,
            priority=-10,
        )
        for number in range(4)
    )
    client.submit_many(make_job(number) for number in range(waiting))
    for worker in ("shop-7f2a", "shop-91c4"):
        client.claim(worker, limit=6, lease_ms=600_000)


def make_job(number: int) -> NewJob:
    """One of the jobs that wait."""
    payload = {"order": 48_300 + number, "to": f"customer-{number}@example.org"}
    return NewJob(payload=payload, type=TYPES[number % len(TYPES)])


def bury(client: BlockingClient, kind: str, error: JobError, count: int) -> None:
    """Jobs that die at their first attempt."""
    client.submit_many(
        NewJob(payload={"order": 48_100 + number}, type=kind, max_attempts=1)
        for number in range(count)
    )
    for _ in range(count):
        fail(client, kind, error, attempts=1)


def fail(client: BlockingClient, kind: str, error: JobError, *, attempts: int) -> None:
    """Fail the next job of this type so often."""
    for _ in range(attempts):
        [job] = client.claim("shop-7f2a", types=[kind])
        client.fail(job, error, retry_in_ms=0)


def complete(client: BlockingClient) -> None:
    """A job whose result is kept."""
    client.submit(
        {"month": "2026-11", "currency": "EUR"},
        type="report:monthly",
        job_id=SEEN_JOB_ID,
        result_ttl_ms=KEPT_MS,
    )
    [job] = client.claim("shop-91c4", types=["report:monthly"])
    client.complete(job, {"orders": 1_204, "revenue": "48211.90", "refunds": 3, "file": "11.pdf"})


def submit_numbered(client: BlockingClient, count: int) -> None:
    """Jobs that carry their number, from 0 on."""
    for start in range(0, count, FRAME_JOBS):
        client.submit_many(
            NewJob(payload={"number": number}, type=TYPES[number % len(TYPES)])
            for number in range(start, min(start + FRAME_JOBS, count))
        )
