"""Ids: made from a time and random bits that the caller passes, so that a seed repeats them."""

from __future__ import annotations

import re

__all__ = ["JOB_ID_PATTERN", "CommitId", "make_broker_name", "make_client_id", "make_uuid7"]

import msgspec

JOB_ID_PATTERN = re.compile(r"[A-Za-z0-9_.:-]+\Z")
"""Characters of a job id; its length is `Limits.job_id_chars_max`."""

_COMMIT_ID = re.compile(r"(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})-([0-9a-f]{16})\Z")


class CommitId(msgspec.Struct, frozen=True):
    """Names one byte string for ever: the term, the write within the process, the process."""

    epoch: int
    """The leader's term; rises by one at each takeover."""
    sequence: int
    """Counts every write that the process builds, and never restarts."""
    broker_name: str
    """16 hexadecimal digits, random, new for each process."""

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}-{self.broker_name}"

    @classmethod
    def parse(cls, text: str) -> CommitId:
        """Read the form that the document holds.

        Raises:
            ValueError: the text is not `epoch-sequence-name`.
        """
        match = _COMMIT_ID.match(text)
        if match is None:
            raise ValueError(f"{text!r} is no commit id: epoch, sequence, 16 hexadecimal digits")
        return cls(int(match[1]), int(match[2]), match[3])

    def is_same_term(self, other: CommitId) -> bool:
        """Whether both were built in the same term of the same process."""
        return self.epoch == other.epoch and self.broker_name == other.broker_name


def make_uuid7(now_ms: int, random_bits: int) -> str:
    """A UUID of version 7 from the wall clock and 74 random bits (more are ignored).

    Source: RFC 9562, section 5.7.
    """
    rand_a = random_bits >> 62 & 0xFFF
    rand_b = random_bits & (1 << 62) - 1
    value = (now_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def make_broker_name(random_bits: int) -> str:
    """The name of one broker process, from 64 random bits."""
    return f"{random_bits & (1 << 64) - 1:016x}"


def make_client_id(random_bits: int) -> str:
    """The id of one Client object, from 96 random bits."""
    return f"{random_bits & (1 << 96) - 1:024x}"
