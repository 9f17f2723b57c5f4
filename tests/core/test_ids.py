"""Ids follow their formats, and only from what they were given."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osqueue.core.ids import (
    JOB_ID_PATTERN,
    CommitId,
    make_broker_name,
    make_client_id,
    make_uuid7,
)

NAME = "9f3ac17be2d40c55"
whole_numbers = st.integers(min_value=0, max_value=2**53)


@given(now_ms=st.integers(0, 2**48 - 1), random_bits=st.integers(0, 2**80))
def test_uuid7_of_any_time_and_bits_follows_the_rfc(now_ms: int, random_bits: int) -> None:
    text = make_uuid7(now_ms, random_bits)
    made = uuid.UUID(text)
    assert str(made) == text
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == now_ms
    rand_a, rand_b = made.int >> 64 & 0xFFF, made.int & 2**62 - 1
    assert rand_a << 62 | rand_b == random_bits & 2**74 - 1
    assert JOB_ID_PATTERN.match(text)


def test_uuid7_of_a_later_time_sorts_behind() -> None:
    assert make_uuid7(1_706_000_000_000, 2**74 - 1) < make_uuid7(1_706_000_000_001, 0)


@given(bits=st.integers(0, 2**128))
def test_names_have_a_fixed_length(bits: int) -> None:
    assert len(make_broker_name(bits)) == 16
    assert len(make_client_id(bits)) == 24
    CommitId.parse(f"1-1-{make_broker_name(bits)}")


@given(epoch=whole_numbers, sequence=whole_numbers, bits=st.integers(0, 2**64 - 1))
def test_commit_id_written_and_read_is_the_same(epoch: int, sequence: int, bits: int) -> None:
    commit_id = CommitId(epoch, sequence, make_broker_name(bits))
    assert CommitId.parse(str(commit_id)) == commit_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7-1234",
        f"7-1234-{NAME}-1",
        f"7-1234-{NAME}\n",
        f"7-1234-{NAME[:-1]}",
        f"7-1234-{NAME.upper()}",
        f"-7-1234-{NAME}",
        f"07-1234-{NAME}",
        f"7- 1234-{NAME}",
        f"7-1_2-{NAME}",
        f"7-x-{NAME}",
        f"\u0667-1234-{NAME}",
        f"{'9' * 5_000}-1-{NAME}",
    ],
)
def test_commit_id_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no commit id"):
        CommitId.parse(text)


def test_commit_ids_are_of_one_term_where_epoch_and_broker_agree() -> None:
    commit_id = CommitId(7, 1, NAME)
    assert commit_id.is_same_term(CommitId(7, 2, NAME))
    assert not commit_id.is_same_term(CommitId(8, 1, NAME))
    assert not commit_id.is_same_term(CommitId(7, 1, NAME[::-1]))


@pytest.mark.parametrize("text", ["", "a b", "a/b", "é", "a\n"])
def test_job_id_with_a_forbidden_character_does_not_match(text: str) -> None:
    assert JOB_ID_PATTERN.match(text) is None
