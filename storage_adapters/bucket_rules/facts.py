"""What is known of a bucket's own rules, in the same words for every provider.

Only what touches one object is kept: whether its replaced copies stay, which rules remove or move
it, what keeps it from being replaced. What could not be found out is `Unseen`, which is never
the same as "there is none".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["BucketFacts", "LifecycleRule", "Unseen", "Versioning", "days_text"]

Versioning = Literal["on", "suspended", "off"]
"""Whether a replaced object stays as a noncurrent copy. Suspended: the older copies stay."""


class Unseen(NamedTuple):
    """Why something is not known."""

    reason: Literal["denied", "unanswered"]
    """Denied: asking needs a permission. Unanswered: there was no usable answer."""
    permission: str
    """What one needs to ask, by the provider's name for it."""
    told: str
    """The store's answer, or what came in place of one."""


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """A rule of the bucket that acts on the object in question, sooner or later."""

    name: str
    """As the provider shows it; a number where it has none."""
    effect: Literal["removes", "moves", "removes copies"]
    """Moves: to a class of storage from which an object may not be readable at once."""
    when: str
    """For a person, as in "30 days after it was last written"."""
    days: int | None = None
    """The days in `when`; None: a date, or a number of copies."""


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """What a bucket does to one object by itself."""

    versioning: Versioning | Unseen
    rules: tuple[LifecycleRule, ...] | Unseen
    """Those that act on the object."""
    blocked_by: str | Unseen
    """What keeps objects from being replaced, for a person; empty: nothing."""
    soft_delete_s: int | Unseen | None
    """How long a replaced object can be brought back, and is paid for; 0: not at all; None: the
    provider has no such thing."""

    @property
    def unseen(self) -> dict[str, Unseen]:
        """What is not known, by the names that a person knows it by."""
        asked = {
            "versioning": self.versioning,
            "lifecycle rules": self.rules,
            "retention": self.blocked_by,
            "soft delete": self.soft_delete_s,
        }
        return {name: value for name, value in asked.items() if isinstance(value, Unseen)}


def days_text(days: float) -> str:
    """So many days, for a person."""
    return "1 day" if days == 1 else f"{days:,g} days"
