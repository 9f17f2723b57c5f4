"""How far apart writes are kept: interval, gap and budget by themselves."""

from osqueue.core.writes.write_spacing import WriteSpacing


class FixedBudget:
    """A budget that allows a write from one moment on."""

    def __init__(self, ready_ms: int) -> None:
        self.ready_ms = ready_ms
        self.held: list[int] = []

    def next_write_ms(self, now_ms: int, steady_ms: int) -> int:
        return self.ready_ms

    def write_held(self, steady_ms: int) -> None:
        self.held.append(steady_ms)


def test_nothing_is_held_back_where_nothing_is_asked_for() -> None:
    spacing = WriteSpacing()
    assert spacing.is_free(0)
    assert spacing.batch_ms(100, now_ms=0, steady_ms=100) == 100
    spacing.held(now_ms=0, steady_ms=100)
    spacing.attempted(100)
    assert spacing.is_free(100)


def test_gap_counts_from_the_attempt_and_interval_from_the_forming() -> None:
    spacing = WriteSpacing(interval_ms=300, gap_ms=1_000)
    assert spacing.batch_ms(100, now_ms=0, steady_ms=100) == 400
    spacing.attempted(200)
    assert not spacing.is_free(1_199)
    assert spacing.is_free(1_200)
    assert spacing.batch_ms(100, now_ms=0, steady_ms=100) == 1_200
    assert spacing.batch_ms(1_000, now_ms=0, steady_ms=1_000) == 1_300


def test_latest_of_interval_gap_and_budget_decides() -> None:
    budget = FixedBudget(5_000)
    spacing = WriteSpacing(interval_ms=300, budget=budget)
    assert spacing.batch_ms(100, now_ms=0, steady_ms=100) == 5_000
    budget.ready_ms = 200
    assert spacing.batch_ms(100, now_ms=0, steady_ms=100) == 400


def test_budget_is_told_only_of_what_it_holds_back_itself() -> None:
    budget = FixedBudget(5_000)
    spacing = WriteSpacing(interval_ms=300, budget=budget)
    spacing.held(now_ms=0, steady_ms=4_999)
    spacing.held(now_ms=0, steady_ms=5_000)
    assert budget.held == [4_999]
