"""What can be asked of the queue: mutations, which may change it, and queries, which never do.

A mutation is complete: ids, times and random numbers were fixed before its first attempt, so that a
repeat is the same mutation. Fields were validated by `protocol/codec.py`. Adding one: here, in
`outcomes.py`, in `queue_state.py`, then in `protocol/messages.py` with its golden file and
docs/protocol.md.
"""

from __future__ import annotations

import msgspec

from osqueue.core.job import JobError, JobStatus
from osqueue.core.retry_policy import RetryPolicy

__all__ = [
    "CancelJob",
    "CancelJobs",
    "ChangeJobs",
    "ClaimJobs",
    "CloseClient",
    "CompleteJobs",
    "Completion",
    "CountJobs",
    "DeleteJob",
    "DeleteJobs",
    "ExpireJobs",
    "FailJob",
    "GiveBackJobs",
    "HeartbeatJobs",
    "JobFilter",
    "JobSelection",
    "Lease",
    "ListDeadGroups",
    "ListJobs",
    "ListWorkers",
    "Mutation",
    "NewJob",
    "PauseQueue",
    "Query",
    "ReadDocument",
    "ReadJob",
    "ReadLineage",
    "ReadStats",
    "RedriveDead",
    "RepeatKey",
    "Request",
    "ResumeQueue",
    "RetryJob",
    "RetryJobs",
    "SnoozeJob",
    "StartDueJobs",
    "SubmitJobs",
]


class RepeatKey(msgspec.Struct, frozen=True, gc=False):
    """What makes a repeat recognisable."""

    client_id: str
    """Random, new for each client object."""
    sequence: int
    """From 1; never used for other content."""
    floor: int = 0
    """The lowest sequence that the client still waits for; 0 where the frame did not say."""


class Mutation(msgspec.Struct, kw_only=True, gc=False):
    """The base of everything that may change the queue.

    Nothing in it can refer back to it, so the garbage collector need not look at it.
    """

    repeat: RepeatKey | None = None
    """Absent for callers that gave none: then only a job id still in the queue is recognised."""


class Query(msgspec.Struct, kw_only=True):
    """The base of everything that only reads."""

    is_confirmed: bool = False
    """Answered with a write that began after it arrived, even by a leader that is trusted: for
    those who will not trust a clock."""


Request = Mutation | Query


class NewJob(msgspec.Struct, kw_only=True, gc=False):
    """A job to be submitted."""

    id: str
    payload: msgspec.Raw
    """Encoded as JSON, admitted by the codec."""
    type: str = ""
    max_attempts: int = 3
    delay_ms: int = 0
    """From the moment that the mutation is applied; 0: claimable at once."""
    run_at: int = 0
    """Ms since the epoch; used where delay_ms is 0."""
    priority: int = 0
    unique_key: str = ""
    result_ttl_ms: int = 0
    retry: RetryPolicy | None = None


class SubmitJobs(Mutation):
    """Enqueue jobs, all or none. Outcome: JobsSubmitted."""

    jobs: list[NewJob]


class Lease(msgspec.Struct, frozen=True, gc=False):
    """What a worker says that it holds."""

    job_id: str
    attempt: int | None = None
    """None: the forerunner's clients, which name only the job and the worker."""


class ClaimJobs(Mutation):
    """Take jobs, in order of priority and submission. Outcome: JobsClaimed."""

    worker_id: str
    types: list[str] = []
    """Empty: all types."""
    limit: int = 1
    lease_ms: int = 0
    """0: the queue's default. Raised to twice the broker's timeout in force."""
    claim_id: str = ""
    """A repeat with the same worker and claim id gets the jobs of the first that are still held."""
    wait_until_ms: int = 0
    """Steady time until which a claim that finds nothing waits; 0: it is answered at once."""
    byte_budget: int = 0
    """Stop before the payloads exceed this many bytes, but never before the first; 0: no bound."""

    @property
    def repeat_id(self) -> str:
        """What its jobs are found under by a repeat; empty: it cannot be repeated."""
        return self.claim_id or _sequence_name(self.repeat)


class HeartbeatJobs(Mutation):
    """Extend leases; lost ones are named. Outcome: JobsExtended."""

    worker_id: str
    leases: list[Lease]
    arrived_ms: int = 0
    """Steady time of its arrival, from which the leases are extended."""


class Completion(msgspec.Struct, kw_only=True, gc=False):
    """One job done, and what follows from it."""

    lease: Lease
    result: msgspec.Raw | None = None
    """Encoded as JSON; dropped where the job did not ask to be kept."""
    submit: list[NewJob] = []
    """Enqueued in the same write as the completion, or not at all."""


class CompleteJobs(Mutation):
    """Complete jobs, and claim the next ones in the same write. Outcome: JobsCompleted."""

    worker_id: str
    completions: list[Completion]
    claim: ClaimJobs | None = None
    is_single: bool = False
    """One job, and the outcome is JobNotHeld where it is not held."""

    @property
    def claim_repeat_id(self) -> str:
        """What the jobs of its claim are found under by a repeat; empty: it cannot be repeated."""
        claim_id = "" if self.claim is None else self.claim.repeat_id
        return claim_id or _sequence_name(self.repeat)


class FailJob(Mutation):
    """An attempt failed: retry with backoff, or dead letter. Outcome: JobFailed."""

    worker_id: str
    lease: Lease
    error: JobError
    retry_in_ms: int | None = None
    """None: by the retry policy."""
    is_final: bool = False
    """To the dead letters whatever attempts are left."""


class SnoozeJob(Mutation):
    """Give a held job back for later, without spending its attempt. Outcome: JobSnoozed."""

    worker_id: str
    lease: Lease
    delay_ms: int


class GiveBackJobs(Mutation):
    """Undo claims that reached nobody, without spending their attempts. Outcome: JobsExtended."""

    worker_id: str
    leases: list[Lease]


class ExpireJobs(Mutation):
    """Take jobs from workers whose leases have run out; drop results that were kept long enough.

    Outcome: JobsExtended, naming the lost jobs.
    """


class StartDueJobs(Mutation):
    """Make scheduled jobs claimable whose time has come. Outcome: JobsExtended, naming them."""


class CancelJob(Mutation):
    """Remove a waiting job, or ask the worker of a held one to stop. Outcome: JobCancelled."""

    job_id: str


class DeleteJob(Mutation):
    """Remove a job that nobody holds. Outcome: JobDeleted."""

    job_id: str


class RetryJob(Mutation):
    """Make a dead or scheduled job claimable now. Outcome: JobRetried."""

    job_id: str


class JobFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which jobs are meant: those for which all holds that is given."""

    status: JobStatus | None = None
    type: str | None = None
    text: str = ""
    """Somewhere in the job's texts, as written; a job's whole id means that job alone."""
    error_type: str | None = None
    error_message: str | None = None
    """The first line of the newest error's message, cut."""

    @property
    def is_indexed(self) -> bool:
        """Whether the tables know how many jobs pass it."""
        return not self.text and self.error_type is None and self.error_message is None


class JobSelection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The jobs that one request changes, in order of submission."""

    job_ids: list[str] | None = None
    """These; None: those that pass the filter."""
    filter: JobFilter = JobFilter()
    limit: int = 0
    """At most so many; 0: all."""
    after_order: int = -1
    """Of those that pass the filter only jobs submitted after this one: the cursor."""


class ChangeJobs(Mutation):
    """The base of what is done to many jobs at once, as far as their status allows it."""

    selection: JobSelection = JobSelection()


class CancelJobs(ChangeJobs):
    """Remove waiting jobs, ask the workers of held ones to stop. Outcome: JobsChanged."""


class DeleteJobs(ChangeJobs):
    """Remove jobs that nobody holds. Outcome: JobsChanged."""


class RetryJobs(ChangeJobs):
    """Make dead and scheduled jobs claimable now. Outcome: JobsChanged."""


class RedriveDead(ChangeJobs):
    """Make dead jobs claimable again, oldest first. Outcome: JobsChanged."""


class PauseQueue(Mutation):
    """Give claims nothing, of one type or of all (None). Outcome: QueuePaused."""

    type: str | None = None


class ResumeQueue(Mutation):
    """End a pause of one type, or all pauses (None). Outcome: QueueResumed."""

    type: str | None = None


class CloseClient(Mutation):
    """A client ends with every attempt answered: its entry can go. Outcome: ClientClosed."""

    client_id: str


class ReadStats(Query):
    """Counts. Outcome: QueueStats."""


class ReadJob(Query):
    """One job. Outcome: JobRead, or JobNotFound."""

    job_id: str
    wait_until_ms: int = 0
    """Steady time until which the shell waits for the job's end before it asks; 0: at once."""


class ListJobs(Query):
    """A page of jobs in order of submission. Outcome: JobsListed."""

    filter: JobFilter = JobFilter()
    is_descending: bool = False
    """The newest first."""
    limit: int = 1_000
    after_order: int = -1
    """Only jobs that come after this one in the list: the cursor; -1: from its beginning."""
    offset: int = 0
    """Leave out so many of the jobs that pass an indexed filter."""
    with_payloads: bool = True
    byte_budget: int = 0
    """Stop before the payloads exceed this many bytes, but never before the first; 0: no bound."""


class CountJobs(Query):
    """How many jobs a change would change. Outcome: JobsChanged, as it would be."""

    change: ChangeJobs


class ListDeadGroups(Query):
    """Dead jobs by type and error, the largest groups first. Outcome: DeadGroupsListed."""

    type: str | None = None
    limit: int = 100


class ListWorkers(Query):
    """Workers that are known, those heard of last. Outcome: WorkersListed."""

    limit: int = 100


class ReadLineage(Query):
    """Who has led. Outcome: LineageRead."""

    seconds: int = 300
    """How far back the figures go that the shell adds."""


class ReadDocument(Query):
    """The whole document as committed. Outcome: DocumentRead."""


def _sequence_name(repeat: RepeatKey | None) -> str:
    return "" if repeat is None else f"{repeat.client_id}:{repeat.sequence}"
