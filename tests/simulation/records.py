"""What observers know of one call: what was asked, when, and what its caller was told."""

from __future__ import annotations

from collections.abc import Callable

from osqueue.core.mutations import Request
from osqueue.core.outcomes import Outcome

__all__ = ["CallRecord"]


class CallRecord:
    """One call of one caller, over all its attempts."""

    __slots__ = (
        "caller",
        "is_numbered",
        "issued_ms",
        "number",
        "on_told",
        "outcome",
        "possible_ms",
        "request",
        "told_ms",
        "wait_ms",
        "wire_answer",
    )

    def __init__(self, request: Request, caller: str, now: int) -> None:
        self.number = 0
        self.request = request
        self.caller = caller
        self.wait_ms = 0
        self.is_numbered = False
        """Its repeats are recognised by a sequence."""
        self.issued_ms = now
        self.told_ms: int | None = None
        self.outcome: Outcome | None = None
        """What the caller was told."""
        self.possible_ms: int | None = None
        """Since when it may be applied; None: surely not yet, all attempts were refused."""
        self.wire_answer: Outcome | None = None
        """The first ok that any broker gave."""
        self.on_told: Callable[[Outcome], None] | None = None

    def __repr__(self) -> str:
        return f"#{self.number} {self.caller} {type(self.request).__name__}"
