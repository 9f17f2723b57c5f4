"""A bucket's own rules on S3: which questions there are, and what their answers say.

Pure: `looking` asks. A store that knows nothing of a question, and says so, has no such rules. One
that answers something else has not said so.

Source: the Amazon S3 API reference (GetBucketVersioning, GetBucketLifecycleConfiguration,
GetObjectLockConfiguration), and PutObject for what object lock asks of a write.
"""

from __future__ import annotations

from typing import cast
from xml.etree.ElementTree import Element

from storage_adapters.bucket_rules.facts import LifecycleRule, Unseen, Versioning, days_text
from storage_adapters.exchanges import Answer, is_page, xml_of, xml_problem_of

__all__ = [
    "LIFECYCLE",
    "OBJECT_LOCK",
    "VERSIONING",
    "lifecycle_of",
    "object_lock_of",
    "versioning_of",
]

VERSIONING = "versioning"
LIFECYCLE = "lifecycle"
OBJECT_LOCK = "object-lock"

_PERMISSIONS = {
    VERSIONING: "s3:GetBucketVersioning",
    LIFECYCLE: "s3:GetLifecycleConfiguration",
    OBJECT_LOCK: "s3:GetBucketObjectLockConfiguration",
}
_KINDS = {VERSIONING: "Versioning", LIFECYCLE: "Lifecycle", OBJECT_LOCK: "ObjectLock"}
"""A part of the name of each answer's root."""
_NONE_IS_SET = frozenset({"NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError"})
_NOT_IMPLEMENTED = frozenset({"NotImplemented", "MethodNotAllowed"})


def versioning_of(answer: Answer) -> Versioning | Unseen:
    """Judge the answer to `?versioning`."""
    found = _root_of(answer, VERSIONING)
    if isinstance(found, Unseen):
        return found
    status = "" if found is None else found.findtext("{*}Status") or ""
    return cast("Versioning", {"Enabled": "on", "Suspended": "suspended"}.get(status, "off"))


def lifecycle_of(answer: Answer, *, key: str) -> tuple[LifecycleRule, ...] | Unseen:
    """Judge the answer to `?lifecycle`: the rules that are in force and touch `key`.

    Args:
        key: the object's full name in the bucket.
    """
    found = _root_of(answer, LIFECYCLE)
    if isinstance(found, Unseen):
        return found
    rules: list[LifecycleRule] = []
    for number, rule in enumerate(() if found is None else found.iterfind("{*}Rule"), start=1):
        if rule.findtext("{*}Status") == "Enabled" and _covers(rule, key):
            rules += _effects(rule, rule.findtext("{*}ID") or f"number {number}")
    return tuple(rules)


def object_lock_of(answer: Answer) -> str | Unseen:
    """Judge the answer to `?object-lock`: what would keep objects from being replaced, or ""."""
    found = _root_of(answer, OBJECT_LOCK)
    if isinstance(found, Unseen):
        return found
    rule = None if found is None else found.find("{*}Rule/{*}DefaultRetention")
    if rule is None:
        # Without a default, objects are locked only where somebody asks for it, which no write of
        # a queue does.
        return ""
    years = _number(rule, "Years")
    period = f"{years} years" if years else days_text(_number(rule, "Days"))
    mode = (rule.findtext("{*}Mode") or "").lower()
    return f"object lock with a default retention of {period} ({mode})"


def _root_of(answer: Answer, subject: str) -> Element | Unseen | None:
    """The XML of an answer; None where the store says that there is nothing of the kind."""
    permission = _PERMISSIONS[subject]
    problem = xml_problem_of(answer)
    told = f"{answer.status} {problem.code}".rstrip() if answer.status else "no answer"
    if answer.status in (401, 403):
        return Unseen("denied", permission, told)
    is_unknown_to_it = answer.status in (405, 501) and not is_page(answer)
    if problem.code in _NONE_IS_SET | _NOT_IMPLEMENTED or is_unknown_to_it:
        return None
    root = xml_of(answer.body) if answer.status == 200 else None
    # Some stores do not know the question, and list the bucket instead.
    if root is None or _KINDS[subject] not in root.tag:
        return Unseen("unanswered", permission, told)
    return root


def _covers(rule: Element, key: str) -> bool:
    """Whether a rule's filter lets it act on the object. Its size is not looked at: it changes."""
    scope = rule.find("{*}Filter")
    scope = rule if scope is None else scope
    both = scope.find("{*}And")
    scope = scope if both is None else both
    if scope.find("{*}Tag") is not None:
        # No object of a queue has tags.
        return False
    return key.startswith(scope.findtext("{*}Prefix") or "")


def _effects(rule: Element, name: str) -> list[LifecycleRule]:
    effects: list[LifecycleRule] = []
    removal = rule.find("{*}Expiration")
    if removal is not None and removal.findtext("{*}ExpiredObjectDeleteMarker") != "true":
        effects.append(LifecycleRule(name, "removes", *_moment(removal)))
    # The first of them is the one that matters: from then on it is elsewhere.
    move = rule.find("{*}Transition")
    if move is not None:
        when, days = _moment(move)
        place = move.findtext("{*}StorageClass") or "another class"
        effects.append(LifecycleRule(name, "moves", f"{when}, to {place}", days))
    copies = rule.find("{*}NoncurrentVersionExpiration")
    if copies is not None:
        days = _number(copies, "NoncurrentDays")
        kept = copies.findtext("{*}NewerNoncurrentVersions")
        when = f"{days_text(days)} after they were replaced" + (f", but for {kept}" if kept else "")
        effects.append(LifecycleRule(name, "removes copies", when, days))
    return effects


def _moment(action: Element) -> tuple[str, int | None]:
    date = action.findtext("{*}Date")
    if date:
        return f"from {date[:10]} on", None
    days = _number(action, "Days")
    return f"{days_text(days)} after it was last written", days


def _number(action: Element, name: str) -> int:
    text = action.findtext(f"{{*}}{name}") or ""
    return int(text) if text.isdecimal() else 0
