"""Effects are values: what is not said has its default."""

from osqueue.core.writes.effects import LoadDocument, Settle, StepDown, WaitUntil


def test_load_without_conditions_reads_the_whole() -> None:
    assert LoadDocument() == LoadDocument(if_changed_from=None, head_only=False)


def test_settle_without_a_commit_needed_no_write() -> None:
    assert Settle([]).commit is None


def test_equal_effects_are_equal() -> None:
    assert WaitUntil(1) == WaitUntil(1) != WaitUntil(2)
    assert StepDown("released") == StepDown("released", None)
