"""Edits of the document by hand: other bytes, or another truth."""

from __future__ import annotations

import json
from random import Random
from typing import Any

__all__ = ["edit_job", "reformat", "remove_job"]


def reformat(body: bytes, random: Random) -> bytes:
    """The same document in other words."""
    kind = random.randrange(4)
    if kind == 0:
        return json.dumps(json.loads(body), indent=1).encode()
    if kind == 1:
        return json.dumps(json.loads(body), separators=(",", ":")).encode()
    return body + b" "


def edit_job(body: bytes, random: Random) -> bytes | None:
    """One job with another priority or payload, or with a field that osqueue does not know; None
    where there is no job."""
    document: dict[str, Any] = json.loads(body)
    if not document["jobs"]:
        return None
    job = random.choice(document["jobs"])
    kind = random.randrange(4)
    if kind == 0:
        job["priority"] = random.randint(-100, 100)
    elif kind == 1:
        job["payload"] = {"by hand": random.randrange(1_000)}
    elif kind == 2:
        job["handNote"] = "look at this one"
    else:
        document["handNote"] = f"note {random.randrange(1_000)}"
    return json.dumps(document).encode()


def remove_job(body: bytes, random: Random) -> bytes | None:
    """One job less; None where there is none."""
    document: dict[str, Any] = json.loads(body)
    if not document["jobs"]:
        return None
    document["jobs"].remove(random.choice(document["jobs"]))
    return json.dumps(document).encode()
