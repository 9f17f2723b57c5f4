"""Relations: broken ones are refused by the names of both settings."""

import pytest

from osqueue.settings import RELATIONS, load_settings
from tests.settings.refusals import refusal

BROKEN_RELATIONS = [
    # What is set just inside, the one change that breaks the relation, and the message.
    (
        {"BROKER_HEARTBEAT_TIMEOUT_MS": "9000"},
        {"BROKER_HEARTBEAT_INTERVAL_MS": "3001"},
        "BROKER_HEARTBEAT_TIMEOUT_MS (9000) must be at least 3 times BROKER_HEARTBEAT_INTERVAL_MS"
        " (3001), that is 9003: one lost heartbeat",
    ),
    (
        {"LEASE_MS": "20000"},
        {"BROKER_HEARTBEAT_TIMEOUT_MS": "10001"},
        "LEASE_MS (20000) must be at least 2 times BROKER_HEARTBEAT_TIMEOUT_MS (10001)",
    ),
    (
        {"GROUP_COMMIT_INTERVAL_MS": "3000"},
        {"GROUP_COMMIT_INTERVAL_MS": "3001"},
        "BROKER_HEARTBEAT_INTERVAL_MS (3000) must be at least GROUP_COMMIT_INTERVAL_MS (3001)",
    ),
    (
        {"WRITE_DEADLINE_MS": "8000"},
        {"WRITE_DEADLINE_MS": "8001"},
        "DRAIN_TIMEOUT_MS (8000) must be at least WRITE_DEADLINE_MS (8001)",
    ),
    (
        {"RETRY_BASE_MS": "600000"},
        {"RETRY_BASE_MS": "600001"},
        "RETRY_CAP_MS (600000) must be at least RETRY_BASE_MS (600001)",
    ),
    (
        {"LEASE_MS_MIN": "30000"},
        {"LEASE_MS_MIN": "30001"},
        "LEASE_MS (30000) must be at least LEASE_MS_MIN (30001)",
    ),
    (
        {"LEASE_MS_MAX": "30000"},
        {"LEASE_MS_MAX": "29999"},
        "LEASE_MS_MAX (29999) must be at least LEASE_MS (30000)",
    ),
    (
        {"MAX_ATTEMPTS": "1000"},
        {"MAX_ATTEMPTS": "1001"},
        "ATTEMPTS_MAX (1000) must be at least MAX_ATTEMPTS (1001)",
    ),
    (
        {"RECEIVED_BYTES_MAX": "8388608"},
        {"RECEIVED_BYTES_MAX": "8388607"},
        "RECEIVED_BYTES_MAX (8388607) must be at least FRAME_BYTES_MAX (8388608)",
    ),
    (
        {"FRAME_BYTES_MAX": "524288"},
        {"FRAME_BYTES_MAX": "524287"},
        "FRAME_BYTES_MAX (524287) must be at least 2 times PAYLOAD_BYTES_MAX (262144)",
    ),
    (
        {"DOCUMENT_BYTES_MAX": "524288"},
        {"DOCUMENT_BYTES_MAX": "524287"},
        "DOCUMENT_BYTES_MAX (524287) must be at least 2 times PAYLOAD_BYTES_MAX (262144)",
    ),
]


@pytest.mark.parametrize(("allowed", "change", "message"), BROKEN_RELATIONS)
def test_broken_relation_is_refused_and_names_both_settings(
    allowed: dict[str, str], change: dict[str, str], message: str
) -> None:
    load_settings(allowed)
    assert refusal({**allowed, **change}).startswith(message)


def test_every_relation_has_a_case_above() -> None:
    messages = [message for _, _, message in BROKEN_RELATIONS]
    for smaller, _, larger, _ in RELATIONS:
        assert any(
            text.startswith(f"{larger.upper()} (") and f"{smaller.upper()} (" in text
            for text in messages
        ), (smaller, larger)


def test_times_of_the_restart_test_are_allowed() -> None:
    times = {"broker_heartbeat_interval_ms": 500, "broker_heartbeat_timeout_ms": 2_000}
    load_settings({}, {**times, "lease_ms": 5_000})
