"""What a bucket's own rules mean for a queue: which lose it, which stop it, what they cost.

Judges what `storage_adapters.bucket_rules` has found out; asks nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from osqueue.cli.doctor.costs import PRICES, provider_of
from osqueue.cli.doctor.report import BucketAspect, Finding
from osqueue.settings import Settings
from storage_adapters.bucket_rules.facts import BucketFacts, LifecycleRule, Unseen, days_text

__all__ = ["aspects_of", "judge_bucket"]

DAY_S = 86_400
GIB = 1 << 30
IN_DOCS = "docs/storage.md has the commands"


def aspects_of(facts: BucketFacts) -> list[BucketAspect]:
    """What is so, for the report: also what is off, and what may not be looked at."""
    rules = facts.rules
    told = rules if isinstance(rules, Unseen) else "; ".join(map(sentence, rules)) or "none for it"
    asked: dict[str, str | Unseen] = {
        "versioning": facts.versioning,
        "lifecycle rules": told,
        "retention": facts.blocked_by if facts.blocked_by != "" else "none",
    }
    kept_s = facts.soft_delete_s
    if kept_s is not None:
        is_off = kept_s == 0
        asked["soft delete"] = (
            kept_s
            if isinstance(kept_s, Unseen)
            else ("off" if is_off else days_text(kept_s / DAY_S))
        )
    return [aspect(name, value) for name, value in asked.items()]


def aspect(name: str, value: str | Unseen) -> BucketAspect:
    """One line of the report."""
    if not isinstance(value, Unseen):
        return BucketAspect(name=name, is_known=True, told=value)
    why = f"needs {value.permission}" if value.reason == "denied" else "no usable answer"
    return BucketAspect(name=name, is_known=False, told=f"not known: {why}")


def sentence(rule: LifecycleRule) -> str:
    """A rule for a person."""
    moved = {"removes": "removes it", "moves": "moves it", "removes copies": "removes copies"}
    return f"rule {rule.name!r} {moved[rule.effect]} {rule.when}"


def judge_bucket(
    facts: BucketFacts, settings: Settings, *, writes_per_s: float, document_bytes: int
) -> Iterator[Finding]:
    """What an operator should know of these facts.

    Args:
        writes_per_s: how often the document is replaced, under the load that is asked about.
        document_bytes: how large it is then.
    """
    yield from judge_rules(facts)
    copies = Copies(settings, per_day=writes_per_s * DAY_S, copy_bytes=document_bytes)
    if facts.versioning == "on" and (message := copies.of_versioning(facts.rules)):
        yield Finding(
            level="warning",
            check="bucket",
            message=message,
            advice="turn versioning off, or let a lifecycle rule remove noncurrent copies after a"
            f" day; {IN_DOCS}",
        )
    if isinstance(facts.soft_delete_s, int) and facts.soft_delete_s:
        kept_days = facts.soft_delete_s / DAY_S
        yield Finding(
            level="warning",
            check="bucket",
            message=f"soft delete keeps each replaced document for {days_text(kept_days)}:"
            f" {copies.over(kept_days)}",
            advice=f"turn soft delete off in this bucket; {IN_DOCS}",
        )
    yield from judge_unseen(facts)


def judge_rules(facts: BucketFacts) -> Iterator[Finding]:
    """What would remove the queue, put it out of reach, or keep it from being written."""
    if isinstance(facts.blocked_by, str) and facts.blocked_by:
        yield Finding(
            level="problem",
            check="bucket",
            message=f"the bucket has {facts.blocked_by}: a queue replaces its document all the"
            " time, which is refused, or keeps every copy",
            advice="use a bucket without it; in this one it may not be possible to take it off",
        )
    if isinstance(facts.rules, Unseen):
        return
    for rule in facts.rules:
        if rule.effect == "removes":
            effect = "a queue whose brokers rest for so long is lost with all its jobs"
            if rule.days is None:
                effect = "the queue is lost with all its jobs"
        elif rule.effect == "moves":
            effect = "brokers may not be able to read it there, and moving costs"
        else:
            continue
        yield Finding(
            level="problem" if rule.effect == "removes" else "warning",
            check="bucket",
            message=f"the lifecycle {sentence(rule)}: {effect}",
            advice="leave the queue's prefix out of the rule",
        )


def judge_unseen(facts: BucketFacts) -> Iterator[Finding]:
    """What nobody looked at, and how it can be."""
    unseen = facts.unseen
    for reason in ("denied", "unanswered"):
        of_reason = {name: why for name, why in unseen.items() if why.reason == reason}
        if not of_reason:
            continue
        names = ", ".join(of_reason)
        permissions = ", ".join(dict.fromkeys(why.permission for why in of_reason.values()))
        told = ", ".join(dict.fromkeys(why.told for why in of_reason.values()))
        if reason == "denied":
            message = f"these credentials may not look at the bucket's {names}: not known"
            advice = f"allow {permissions} to whoever runs the doctor; a broker needs none of it"
        else:
            message = f"the bucket's {names}: not known, the store gives no usable answer ({told})"
            advice = "look at them with the provider's own tool"
        yield Finding(level="warning", check="bucket", message=message, advice=advice)


class Copies:
    """How many copies of replaced documents gather, and what they come to."""

    def __init__(self, settings: Settings, *, per_day: float, copy_bytes: int) -> None:
        self._per_day = per_day
        self._copy_bytes = copy_bytes
        self._prices = PRICES.get(provider_of(settings) or "")

    def of_versioning(self, rules: tuple[LifecycleRule, ...] | Unseen) -> str:
        """What to say where versioning is on; empty where a rule removes copies soon enough."""
        begin = "versioning is on, and each write leaves the whole document as a noncurrent copy"
        if isinstance(rules, Unseen):
            return f"{begin}: {self.each_day()}, unless a lifecycle rule removes them"
        removals = [rule for rule in rules if rule.effect == "removes copies"]
        if not removals:
            return f"{begin}: {self.each_day()}, and no lifecycle rule removes them"
        days = min((rule.days for rule in removals if rule.days), default=0)
        if days <= 1:
            return ""
        return f"{begin}, kept for {days_text(days)}: {self.over(days)}"

    def each_day(self) -> str:
        """What one day adds."""
        return f"{self._amount(1)} more each day"

    def over(self, days: float) -> str:
        """What is there once it is as much as it will be."""
        price = ""
        if self._prices is not None:
            usd = self._gib(days) * self._prices.usd_per_gib_month
            price = f", ${usd:,.2f} a month"
        return self._amount(days) + price

    def _amount(self, days: float) -> str:
        size = f"{self._copy_bytes / 1024:,.0f} KiB"
        return f"{self._per_day * days:,.0f} copies of {size}, {self._gib(days):,.1f} GiB"

    def _gib(self, days: float) -> float:
        return self._per_day * days * self._copy_bytes / GIB
