"""Dead letters in groups."""

import pytest

from osqueue.core.job import Job, JobError
from osqueue.core.mutations import ListDeadGroups
from osqueue.core.outcomes import DeadGroup, DeadGroupsListed
from osqueue.core.reads import dead_groups
from osqueue.core.reads.committed_view import CommittedView
from osqueue.core.reads.dead_groups import list_dead_groups
from tests.builders import NOW_MS, make_header, make_job, make_state


def dead(number: int, message: str, *, kind: str = "mail", ended: int = 0) -> Job:
    errors = (JobError("OldError", "old"), JobError("ValueError", message))
    return make_job(number, status="dead", type=kind, errors=errors, ended_at=NOW_MS + ended)


def groups(*jobs: Job, **fields: object) -> DeadGroupsListed:
    view = CommittedView(state=make_state(*jobs), header=make_header(), chunks=[])
    return list_dead_groups(ListDeadGroups(**fields), view)  # pyright: ignore[reportArgumentType]


def test_jobs_of_one_type_and_error_are_one_group() -> None:
    listed = groups(
        dead(1, "no\nline 7", ended=5),
        dead(2, "no\nline 9", ended=9),
        dead(3, "no", ended=1),
        dead(4, "yes", ended=3),
        dead(5, "no", kind="sms"),
        make_job(6),
    )
    assert listed.groups[0] == DeadGroup(
        "mail", "ValueError", "no", 3, NOW_MS + 1, NOW_MS + 9, "job-2"
    )
    assert [(group.type, group.error_message) for group in listed.groups[1:]] == [
        ("mail", "yes"),
        ("sms", "no"),
    ]
    assert (listed.total, listed.dead) == (3, 5)


def test_groups_of_one_type_the_largest_first() -> None:
    jobs = [dead(number, str(number // 4)) for number in range(1, 8)]
    listed = groups(*jobs, dead(9, "no", kind="sms"), type="mail", limit=1)
    assert [(group.error_message, group.count) for group in listed.groups] == [("1", 4)]
    assert (listed.total, listed.dead) == (2, 7)


def test_job_that_died_without_an_error_has_none() -> None:
    [group] = groups(make_job(1, status="dead")).groups
    assert (group.error_type, group.error_message) == ("", "")


def test_looks_at_a_bounded_number_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_groups, "SCANNED_JOBS_MAX", 2)
    assert groups(*[dead(number, "no") for number in range(1, 5)]).dead == 2
