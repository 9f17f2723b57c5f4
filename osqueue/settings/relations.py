"""Which settings bound each other, and why."""

from collections.abc import Mapping

from osqueue.settings.rows import SettingsError, SettingValue

__all__ = ["RELATIONS", "check_relations"]


def check_relations(values: Mapping[str, SettingValue]) -> None:
    """Check the settings against each other.

    Args:
        values: every setting's value by its name, limits included.

    Raises:
        SettingsError: names the two settings with their values, and the most or least allowed.
    """
    for smaller, factor, larger, reason in RELATIONS:
        smaller_value, larger_value = values[smaller], values[larger]
        assert isinstance(smaller_value, int), f"{smaller} is no whole number"
        assert isinstance(larger_value, int), f"{larger} is no whole number"
        if smaller_value * factor > larger_value:
            times = f"{factor} times " if factor > 1 else ""
            raise SettingsError(
                f"{larger.upper()} ({larger_value}) must be at least {times}{smaller.upper()}"
                f" ({smaller_value}), that is {smaller_value * factor}: {reason}"
            )


RELATIONS: tuple[tuple[str, int, str, str], ...] = (
    (
        "broker_heartbeat_interval_ms",
        3,
        "broker_heartbeat_timeout_ms",
        "one lost heartbeat must not cost the lead",
    ),
    ("broker_heartbeat_timeout_ms", 2, "lease_ms", "workers keep their jobs through a takeover"),
    # A heartbeat is a write that carries whatever waits.
    ("group_commit_interval_ms", 1, "broker_heartbeat_interval_ms", "a longer one has no effect"),
    ("write_deadline_ms", 1, "drain_timeout_ms", "a stuck client must not hold up a stop"),
    ("retry_base_ms", 1, "retry_cap_ms", "the cap holds for the first delay too"),
    ("lease_ms_min", 1, "lease_ms", "a claim that names no lease must be allowed"),
    ("lease_ms", 1, "lease_ms_max", "a claim that names no lease must be allowed"),
    ("max_attempts", 1, "attempts_max", "a job that names no attempts must be allowed"),
    ("frame_bytes_max", 1, "received_bytes_max", "the largest frame must be receivable"),
    ("payload_bytes_max", 2, "frame_bytes_max", "one reply carries payload and result"),
    ("payload_bytes_max", 2, "document_bytes_max", "the queue must hold payload and result"),
)
"""Each row: (smaller, factor, larger, why); factor times the smaller must not exceed the larger."""
