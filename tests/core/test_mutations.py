"""What claims are found under when they are repeated."""

from osqueue.core.mutations import ClaimJobs, CompleteJobs, RepeatKey

REPEAT = RepeatKey("client-1", 5)


def test_repeat_id_of_a_claim_is_its_claim_id() -> None:
    assert ClaimJobs(worker_id="w", claim_id="c", repeat=REPEAT).repeat_id == "c"


def test_repeat_id_of_a_claim_without_one_is_its_sequence() -> None:
    assert ClaimJobs(worker_id="w", repeat=REPEAT).repeat_id == "client-1:5"


def test_repeat_id_of_a_claim_with_neither_is_empty() -> None:
    assert ClaimJobs(worker_id="w").repeat_id == ""


def test_claim_repeat_id_of_completions_is_the_claims_own() -> None:
    claim = ClaimJobs(worker_id="w", claim_id="c")
    mutation = CompleteJobs(worker_id="w", completions=[], claim=claim, repeat=REPEAT)
    assert mutation.claim_repeat_id == "c"


def test_claim_repeat_id_of_completions_is_otherwise_their_sequence() -> None:
    claim = ClaimJobs(worker_id="w")
    mutation = CompleteJobs(worker_id="w", completions=[], claim=claim, repeat=REPEAT)
    assert mutation.claim_repeat_id == "client-1:5"
    assert CompleteJobs(worker_id="w", completions=[]).claim_repeat_id == ""
