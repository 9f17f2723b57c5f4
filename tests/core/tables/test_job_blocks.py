"""Jobs stay in order, and only what changed is encoded again."""

import random
from typing import Any

import msgspec
import pytest

from osqueue.core.job import STATUSES, Job, JobStatus
from osqueue.core.limits import BLOCK_JOBS
from osqueue.core.tables.job_blocks import JobBlocks
from tests.builders import make_job


def make_blocks(count: int) -> tuple[JobBlocks, list[Job]]:
    jobs = [make_job(order) for order in range(1, count + 1)]
    return JobBlocks(jobs), jobs


def decoded(blocks: JobBlocks) -> list[Job]:
    return msgspec.json.decode(b"[%b]" % b"".join(blocks.encode()), type=list[Job])


def test_blocks_of_no_jobs_encode_to_nothing() -> None:
    blocks = JobBlocks()
    assert blocks.encode() == []
    assert blocks.encoded_bytes == 0
    assert list(blocks.after(-1)) == []


@pytest.mark.parametrize("count", [1, BLOCK_JOBS, BLOCK_JOBS + 1, 3 * BLOCK_JOBS])
def test_blocks_built_or_filled_encode_the_same_jobs_in_order(count: int) -> None:
    built, jobs = make_blocks(count)
    filled = JobBlocks()
    for job in jobs:
        filled.add(job)
    assert decoded(built) == decoded(filled) == jobs
    assert built.encode() == filled.encode()
    assert built.encoded_bytes == len(b"".join(built.encode()))
    assert built.encoded_blocks_count == -(-count // BLOCK_JOBS)


def test_blocks_are_one_line_each() -> None:
    blocks, _ = make_blocks(2 * BLOCK_JOBS + 1)
    assert b"".join(blocks.encode()).count(b"\n") == 2


def test_jobs_after_an_order_are_found_from_any_block() -> None:
    blocks, jobs = make_blocks(2 * BLOCK_JOBS)
    for after in (-1, 0, 1, BLOCK_JOBS - 1, BLOCK_JOBS, BLOCK_JOBS + 1, 2 * BLOCK_JOBS):
        assert list(blocks.after(after)) == [job for job in jobs if job.order > after]


def test_job_touched_has_its_block_encoded_again() -> None:
    blocks, jobs = make_blocks(3 * BLOCK_JOBS)
    blocks.encode()
    jobs[BLOCK_JOBS].type = "changed"
    blocks.touch(jobs[BLOCK_JOBS])
    assert decoded(blocks)[BLOCK_JOBS].type == "changed"
    assert blocks.encoded_blocks_count == 4


def test_job_changed_without_a_touch_breaks_the_invariants() -> None:
    blocks, jobs = make_blocks(2 * BLOCK_JOBS)
    blocks.check_invariants()
    blocks.encode()
    blocks.check_invariants()
    jobs[0].type = "changed"
    with pytest.raises(AssertionError, match="a change was not told"):
        blocks.check_invariants()


def test_job_added_out_of_order_is_a_bug() -> None:
    blocks, _ = make_blocks(2)
    with pytest.raises(AssertionError, match="orders only grow"):
        blocks.add(make_job(2))


def test_jobs_removed_leave_no_trace() -> None:
    blocks, jobs = make_blocks(2 * BLOCK_JOBS)
    for job in jobs[: BLOCK_JOBS + 1]:
        blocks.remove(job)
    assert decoded(blocks) == jobs[BLOCK_JOBS + 1 :]
    for job in jobs[BLOCK_JOBS + 1 :]:
        blocks.remove(job)
    assert blocks.encode() == []


def test_unknown_fields_stay_with_their_job_and_go_with_it() -> None:
    jobs = [make_job(1), make_job(2)]
    unknown = {"job-1": b'"color":"red"'}
    blocks = JobBlocks(jobs, unknown)
    assert b'"order":1,"color":"red"},{' in b"".join(blocks.encode())
    blocks.remove(jobs[0])
    assert unknown == {}
    assert b"red" not in b"".join(blocks.encode())


def test_blocks_thinned_out_are_merged_and_full_ones_stay_encoded() -> None:
    blocks, jobs = make_blocks(40 * BLOCK_JOBS)
    blocks.encode()
    kept = jobs[-2 * BLOCK_JOBS :]
    for job in jobs[: -2 * BLOCK_JOBS]:
        if job.order % (2 * BLOCK_JOBS) == 1:
            kept.append(job)
        else:
            blocks.remove(job)
    before = blocks.encoded_blocks_count
    assert decoded(blocks) == sorted(kept, key=lambda job: job.order)
    assert blocks.encoded_blocks_count == before + 1
    blocks.add(make_job(40 * BLOCK_JOBS + 1))
    assert next(blocks.after(38 * BLOCK_JOBS)).order == 38 * BLOCK_JOBS + 1


def test_blocks_under_random_use_hold_what_a_plain_list_holds(
    seeded_random: random.Random,
) -> None:
    blocks, plain = JobBlocks(), list[Job]()
    for order in range(1, 20_000):
        job = make_job(order)
        blocks.add(job)
        plain.append(job)
        if seeded_random.random() < 0.99 and len(plain) > 20:
            blocks.remove(plain.pop(seeded_random.randrange(10)))
        if order % 1_000 == 0:
            assert decoded(blocks) == plain
    assert list(blocks.after(-1)) == plain


def found(blocks: JobBlocks, *statuses: JobStatus, **fields: Any) -> list[int]:
    wanted = {"kind": None} | fields
    return [job.order for job in blocks.matching(statuses or STATUSES, **wanted)]


def test_matching_jobs_are_found_in_both_orders_from_anywhere() -> None:
    count = 3 * BLOCK_JOBS
    jobs = [make_job(n, type="a" if n % 100 == 0 else "b") for n in range(1, count + 1)]
    blocks = JobBlocks(jobs)
    blocks.encode()
    hundreds = list(range(100, count + 1, 100))
    assert found(blocks, kind="a") == hundreds
    assert found(blocks, kind="a", is_descending=True) == hundreds[::-1]
    assert found(blocks, kind="a", after_order=300) == hundreds[3:]
    assert found(blocks, kind="a", after_order=299) == hundreds[2:]
    assert found(blocks, kind="a", after_order=300, is_descending=True) == [200, 100]
    assert found(blocks, kind="a", after_order=301, is_descending=True) == [300, 200, 100]
    assert found(blocks, kind="a", skip_count=3) == hundreds[3:]
    assert found(blocks, kind="a", skip_count=3, is_descending=True) == hundreds[::-1][3:]
    assert found(blocks, "dead") == []
    assert blocks.count(("unclaimed",), "a") == len(hundreds)


def test_counts_follow_what_changes() -> None:
    blocks = JobBlocks([make_job(1), make_job(2)])
    assert blocks.count(("unclaimed",), None) == 2
    blocks.encode()
    assert blocks.count(("unclaimed",), None) == 2
    job = next(blocks.after(-1))
    job.status = "dead"
    blocks.touch(job)
    assert (blocks.count(("unclaimed",), None), blocks.count(("dead",), None)) == (1, 1)
    blocks.encode()
    blocks.remove(job)
    blocks.encode()
    assert blocks.count(STATUSES, None) == 1


def test_counts_of_a_block_with_many_types_are_not_kept_but_right() -> None:
    blocks = JobBlocks([make_job(number, type=f"t{number}") for number in range(1, 101)])
    blocks.encode()
    assert blocks.count(("unclaimed",), "t7") == 1
    assert found(blocks, kind="t7") == [7]


def test_matching_from_a_job_and_from_a_number_at_once_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="from a job"):
        found(JobBlocks(), after_order=1, skip_count=1)
