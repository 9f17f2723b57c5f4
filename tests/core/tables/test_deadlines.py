"""Deadlines fall due in order, wherever they were moved to."""

import random

from osqueue.core.tables.deadlines import Deadlines


def make_deadlines(**deadlines_ms: int) -> Deadlines:
    deadlines = Deadlines()
    for key, deadline_ms in deadlines_ms.items():
        deadlines.set(key, deadline_ms)
    return deadlines


def test_deadlines_without_keys_have_no_next() -> None:
    deadlines = Deadlines()
    assert deadlines.next_ms() is None
    assert deadlines.due(10**15) == []
    assert len(deadlines) == 0


def test_deadlines_that_have_come_are_taken_out_the_earliest_first() -> None:
    deadlines = make_deadlines(a=30, b=10, c=20, d=31)
    assert deadlines.next_ms() == 10
    assert deadlines.due(30) == ["b", "c", "a"]
    assert "a" not in deadlines
    assert "d" in deadlines
    assert deadlines.due(30) == []


def test_deadline_moved_to_later_falls_due_only_then() -> None:
    deadlines = make_deadlines(a=10, b=20)
    deadlines.set("a", 30)
    assert deadlines.due(29) == ["b"]
    assert deadlines.next_ms() == 30
    assert deadlines.due(30) == ["a"]


def test_deadline_moved_to_earlier_falls_due_then_and_once() -> None:
    deadlines = make_deadlines(a=30)
    deadlines.set("a", 10)
    assert deadlines.due(10) == ["a"]
    assert deadlines.due(100) == []


def test_deadline_moved_back_and_forth_falls_due_once() -> None:
    deadlines = make_deadlines(a=10)
    for deadline_ms in (50, 20, 40, 40):
        deadlines.set("a", deadline_ms)
    assert deadlines.due(39) == []
    assert deadlines.due(40) == ["a"]
    assert deadlines.due(100) == []


def test_deadline_extended_never_becomes_earlier() -> None:
    deadlines = make_deadlines(a=10)
    deadlines.extend("a", 5)
    assert deadlines.next_ms() == 10
    deadlines.extend("a", 20)
    assert deadlines.next_ms() == 20
    deadlines.extend("b", 7)
    assert deadlines.next_ms() == 7


def test_deadline_removed_does_not_fall_due() -> None:
    deadlines = make_deadlines(a=10, b=20)
    deadlines.remove("a")
    deadlines.remove("a")
    assert deadlines.next_ms() == 20
    assert len(deadlines) == 1


def test_deadline_removed_and_set_anew_is_the_new_one() -> None:
    deadlines = make_deadlines(a=10)
    deadlines.remove("a")
    deadlines.set("a", 20)
    assert deadlines.due(19) == []
    assert deadlines.due(20) == ["a"]
    assert deadlines.due(100) == []


def test_deadlines_moved_very_often_stay_small() -> None:
    deadlines = Deadlines()
    for deadline_ms in range(100_000, 0, -1):
        deadlines.set("a", deadline_ms)
    assert deadlines.entries_count < 2_000
    assert deadlines.due(1) == ["a"]


def test_deadlines_moved_at_random_agree_with_a_plain_dict(seeded_random: random.Random) -> None:
    deadlines, plain = Deadlines(), dict[str, int]()
    for _ in range(5_000):
        key = f"k{seeded_random.randrange(20)}"
        deadline_ms = seeded_random.randrange(100)
        match seeded_random.randrange(4):
            case 0 | 1:
                deadlines.set(key, deadline_ms)
                plain[key] = deadline_ms
            case 2:
                deadlines.remove(key)
                plain.pop(key, None)
            case _:
                due = deadlines.due(deadline_ms // 4)
                assert [plain[one] for one in due] == sorted(plain[one] for one in due)
                assert set(due) == {one for one, at in plain.items() if at <= deadline_ms // 4}
                for one in due:
                    del plain[one]
        assert len(deadlines) == len(plain)
        assert deadlines.next_ms() == min(plain.values(), default=None)
