"""The limits fit together."""

from osqueue.core.limits import (
    APPLIED_SEQUENCES_MAX,
    CLIENT_ENTRY_TTL_MS,
    CLIENT_REPEAT_MS_MAX,
    PRIORITY_MAX,
    PRIORITY_MIN,
    QUEUE_FULL_RATIO,
    TEXT_CUT_RATIO,
    Limits,
    QueueRules,
)


def test_limits_defaults_are_those_of_the_protocol() -> None:
    limits = Limits()
    assert (limits.payload_bytes_max, limits.frame_bytes_max) == (256 * 1024, 8 * 1024 * 1024)
    assert (limits.jobs_max, limits.document_bytes_max) == (1_000_000, 64 * 1024 * 1024)
    assert (limits.dead_jobs_max, limits.client_entries_max) == (10_000, 10_000)
    assert (limits.lease_ms_min, limits.lease_ms_max) == (1_000, 86_400_000)
    assert (PRIORITY_MIN, PRIORITY_MAX, APPLIED_SEQUENCES_MAX) == (-100, 100, 10_000)


def test_limits_of_repeats_let_no_repeat_outlive_its_entry() -> None:
    assert 3 * CLIENT_REPEAT_MS_MAX <= CLIENT_ENTRY_TTL_MS


def test_limits_of_bytes_leave_room_for_settlements() -> None:
    limits = Limits()
    room = limits.document_bytes_max * (1 - QUEUE_FULL_RATIO)
    assert room > limits.frame_bytes_max / 2
    assert QUEUE_FULL_RATIO < TEXT_CUT_RATIO < 1


def test_rules_default_to_leases_that_outlast_a_failover() -> None:
    rules = QueueRules()
    assert (rules.lease_ms, rules.max_attempts) == (30_000, 3)
    assert rules.limits.lease_ms_min <= rules.lease_ms <= rules.limits.lease_ms_max
