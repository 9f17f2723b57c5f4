"""How long a leader trusts itself, and how long a standby leaves it alone for that.

The one place that says so: the two have to fit, or a leader answers from memory while another one
leads.
"""

__all__ = ["evidence_wait_ms", "trust_ms"]

_DRIFT = 10
"""Two steady clocks may differ in their rates by one part in so many."""
_ROUNDING_MS = 2
"""What both clocks round off."""


def trust_ms(committed_timeout_ms: int) -> int:
    """How long a leader answers without a write, from the start of the attempt that landed."""
    return committed_timeout_ms // 2


def evidence_wait_ms(committed_timeout_ms: int) -> int:
    """How long after it saw the version change a standby may act on what only suggests that the
    leader is gone: by then the leader trusts itself no more, whether it is gone or not."""
    trusted_ms = trust_ms(committed_timeout_ms)
    return trusted_ms + trusted_ms // _DRIFT + _ROUNDING_MS
