"""Commit ids of one process."""

from osqueue.core.writes.terms import CommitIds


def test_commit_ids_are_never_given_twice_whatever_the_epoch() -> None:
    commit_ids = CommitIds("9f3ac17be2d40c55")
    given = [commit_ids.next(epoch) for epoch in (1, 1, 2, 1)]
    assert [str(commit_id) for commit_id in given] == [
        "1-1-9f3ac17be2d40c55",
        "1-2-9f3ac17be2d40c55",
        "2-3-9f3ac17be2d40c55",
        "1-4-9f3ac17be2d40c55",
    ]
