"""What is countable: bytes of a job and of the header, and the work that one change costs."""

from typing import Any

import pytest
from msgspec import Raw

from osqueue.core.document import HEAD_BYTES_MAX, Takeover, encode_document, read_header
from osqueue.core.ids import CommitId, make_uuid7
from osqueue.core.limits import LINEAGE_LENGTH
from osqueue.core.tables.refusals import JOB_OVERHEAD_BYTES
from tests.builders import NOW_MS, make_header, make_job, make_new_job, make_state, submit

JOB_OVERHEAD_TYPICAL_BYTES = 169
"""Measured. A change of it is a change of how many jobs fit into a document."""
PAYLOAD = Raw(b'{"to":"somebody@example.org","template":"welcome"}')


def overhead_bytes(*, has_key: bool = False, **fields: Any) -> int:
    """What a waiting job takes in the document beside its payload, seven digits of order in."""
    state = make_state(next_order=1_000_000)
    sizes: list[int] = []
    for number in range(2):
        defaults = {"id": make_uuid7(NOW_MS, number), "type": "email:send", "payload": PAYLOAD}
        unique_key = f"{number:010}" if has_key else ""
        submit(state, make_new_job(unique_key=unique_key, **(defaults | fields)))
        sizes.append(len(b"".join(encode_document(make_header(), {}, state))))
    return sizes[1] - sizes[0] - len(bytes(PAYLOAD))


def test_waiting_job_takes_little_more_than_its_payload() -> None:
    assert overhead_bytes() == JOB_OVERHEAD_TYPICAL_BYTES <= JOB_OVERHEAD_BYTES


def test_waiting_job_with_a_unique_key_and_a_priority_stays_within_the_estimate() -> None:
    assert overhead_bytes(has_key=True) <= JOB_OVERHEAD_BYTES
    assert overhead_bytes(priority=-100) <= JOB_OVERHEAD_BYTES


@pytest.mark.slow
def test_change_of_one_job_of_100_000_encodes_at_most_two_blocks() -> None:
    state = make_state(*[make_job(order) for order in range(1, 100_001)])
    blocks, by_id = state.table.blocks, state.table.by_id
    encode_document(make_header(), {}, state)
    changes = (
        lambda: blocks.touch(by_id["job-50000"]),
        lambda: state.enqueue_all([make_new_job(100_001)], NOW_MS),
        lambda: state.table.remove(by_id["job-70000"]),
    )
    for change in changes:
        before = blocks.encoded_blocks_count
        change()
        encode_document(make_header(), {}, state)
        assert 1 <= blocks.encoded_blocks_count - before <= 2


def test_header_line_with_a_full_lineage_fits_into_the_first_read() -> None:
    largest, name = 2**53 - 1, "f" * 16
    commit_id = str(CommitId(largest, 10**15, name))
    header = make_header(
        broker=f"{'h' * 253}:65535",
        broker_host="h" * 512,
        broker_heartbeat=253_402_300_799_999,
        broker_timeout_ms=604_800_000,
        epoch=largest,
        commit_id=commit_id,
        lineage=[Takeover(largest, name, commit_id)] * LINEAGE_LENGTH,
    )
    state = make_state(completed_total=largest, next_order=largest, leadership_ms=largest)
    document = b"".join(encode_document(header, {}, state))
    assert document.index(b"\n") < HEAD_BYTES_MAX / 2
    assert read_header(document[:HEAD_BYTES_MAX]) == header
