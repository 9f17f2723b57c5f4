"""How long a failed job waits before its next attempt."""

from __future__ import annotations

import random as random_module

import msgspec

__all__ = ["RetryPolicy"]

_EXPONENT_MAX = 1_000.0


class RetryPolicy(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Exponential growth to a cap, with full jitter."""

    base_ms: int = 1_000
    """The longest wait after the first failed attempt."""
    factor: float = 2.0
    """Growth for each further attempt, at least 1."""
    cap_ms: int = 600_000
    """The longest wait of all."""

    def delay_ms(self, attempt: int, random: random_module.Random) -> int:
        """The wait after the given attempt (1 is the first): 0 to the attempt's longest wait.

        Full jitter spreads the retries of jobs that failed together over the whole span.
        """
        assert attempt >= 1, "attempts count from 1"
        return int(random.random() * self.longest_ms(attempt))

    def longest_ms(self, attempt: int) -> int:
        """The longest wait after the given attempt."""
        exponent = min(float(attempt - 1), _EXPONENT_MAX)
        try:
            return int(min(self.base_ms * self.factor**exponent, self.cap_ms))
        except OverflowError:
            return self.cap_ms
