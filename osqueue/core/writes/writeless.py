"""What can be answered without a write, told before it is applied.

Only needed while the minimum interval between two writes holds them back: then what needs none is
not to wait with the rest. A mutation that is wrongly thought to need a write merely waits; one that
is wrongly thought to need none starts a write early. Neither gives a wrong answer.
"""

from __future__ import annotations

from osqueue.core.mutations import (
    CancelJob,
    ClaimJobs,
    CloseClient,
    CompleteJobs,
    DeleteJob,
    FailJob,
    HeartbeatJobs,
    Mutation,
    RetryJob,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.queue_state import QueueState

__all__ = ["needs_no_write"]


def needs_no_write(state: QueueState, mutation: Mutation) -> bool:
    """Whether the mutation would change nothing that must be written. Changes nothing itself."""
    repeat = mutation.repeat
    if repeat is not None and (
        state.clients.has_answered(repeat) or state.clients.refuse(repeat) is not None
    ):
        return True
    table = state.table
    match mutation:
        case HeartbeatJobs() | CloseClient():
            return True
        case ClaimJobs():
            return _claims_nothing_new(state, mutation, mutation.repeat_id)
        case FailJob() | SnoozeJob():
            return table.find_held(mutation.worker_id, mutation.lease) is None
        case CompleteJobs():
            return _completes_nothing(state, mutation)
        case SubmitJobs():
            # With a sequence even a duplicate's answer must be recorded.
            return repeat is None and all(map(table.find_queued, mutation.jobs))
        case CancelJob() | DeleteJob() | RetryJob():
            return mutation.job_id not in table.by_id
        case _:
            return False


def _claims_nothing_new(state: QueueState, claim: ClaimJobs, repeat_id: str) -> bool:
    is_held = bool(state.table.claimed_under(claim.worker_id, repeat_id))
    return is_held or not state.has_job_for(claim)


def _completes_nothing(state: QueueState, mutation: CompleteJobs) -> bool:
    leases = [done.lease for done in mutation.completions]
    if any(state.table.find_held(mutation.worker_id, lease) for lease in leases):
        return False
    if mutation.is_single:
        return True
    if mutation.repeat is not None:
        return False
    claim = mutation.claim
    return claim is None or _claims_nothing_new(state, claim, mutation.claim_repeat_id)
