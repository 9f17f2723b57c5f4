"""One conditional write, from its first attempt to the moment that its outcome is known.

A commit id names one byte string for ever: every attempt sends the same bytes under the same
condition, so that at most one of them can land, and it does not matter which. The four rules of
`judge` were checked exhaustively against a store that loses, delays and repeats; each has a test
of its name.
"""

from __future__ import annotations

import enum
import random as random_module

from osqueue.core.document import Header
from osqueue.core.ids import CommitId

__all__ = ["NextStep", "PendingWrite", "Verdict", "judge"]

_BACKOFF_MS_FIRST = 25
_BACKOFF_MS_MAX = 1_000


class Verdict(enum.Enum):
    """What a load says about a write whose outcome was not known."""

    LANDED = "landed"
    STILL_OPEN = "still open"
    """What we write over is still there: an earlier attempt may land even after this read."""
    LANDED_THEN_DEPOSED = "landed, then another took over"
    NOT_LANDED = "another took over before it landed"
    UNTELLABLE = "nothing can tell"


class NextStep(enum.Enum):
    """What to do about a pending write now."""

    SEND = "send"
    LOAD = "load"
    WAIT = "wait"
    GIVE_UP = "give up"


def judge(
    commit_id: CommitId, base_version: str | None, found: Header | None, version: str | None
) -> Verdict:
    """Settle a write by what a load has found (None: the object is missing), in this order.

    1. It carries our commit id: landed.
    2. It is the version that we write over (for the first creation: still missing): still open.
    3. Its lineage names a takeover from our term: from our commit = landed, from another = not.
    4. Anything else (missing, edited, restored, the lineage too short): nothing can tell.
    """
    if found is not None and found.commit_id == str(commit_id):
        return Verdict.LANDED
    if version == base_version:
        return Verdict.STILL_OPEN
    for takeover in found.lineage if found is not None else ():
        if _is_same_term(takeover.taken_from, commit_id):
            is_ours = takeover.taken_from == str(commit_id)
            return Verdict.LANDED_THEN_DEPOSED if is_ours else Verdict.NOT_LANDED
    return Verdict.UNTELLABLE


def _is_same_term(text: str, commit_id: CommitId) -> bool:
    try:
        return CommitId.parse(text).is_same_term(commit_id)
    except ValueError:
        # Empty where the queue was created; anything where the document was edited by hand.
        return False


class PendingWrite:
    """The write in flight of a term, or of a takeover."""

    def __init__(
        self,
        *,
        commit_id: CommitId,
        chunks: list[bytes],
        base_version: str | None,
        steady_ms: int,
        give_up_ms: int,
        random: random_module.Random,
    ) -> None:
        """`give_up_ms` is how long to try, from `steady_ms` on."""
        self.commit_id = commit_id
        self.chunks = chunks
        self.base_version = base_version
        self.started_ms = steady_ms
        self.document_bytes = sum(map(len, chunks))
        self.was_ever_unknown = False
        """Whether any attempt may have landed: then only a load that shows it settles the write."""
        self.act_started_ms = steady_ms
        """When the newest attempt or load began. Of a write that has landed: when the attempt that
        landed began, or the first one, where only a load has shown that one did."""
        self._deadline_ms = steady_ms + give_up_ms
        self._not_before_ms = steady_ms
        self._must_load = False
        self._has_looked = False
        """Whether a load was tried since the newest attempt."""
        self._backoff_ms = _BACKOFF_MS_FIRST
        self._random = random

    def next_step(self, steady_ms: int) -> NextStep:
        """What to do now. Giving up leaves an outcome unknown where `was_ever_unknown`.

        However late it is, one load is tried after the newest attempt: it may well tell.
        """
        if steady_ms >= self._deadline_ms and (self._has_looked or not self._must_load):
            return NextStep.GIVE_UP
        if steady_ms < self._not_before_ms:
            return NextStep.WAIT
        return NextStep.LOAD if self._must_load else NextStep.SEND

    def wait_until_ms(self) -> int:
        """Until when `WAIT` means to wait."""
        return min(self._not_before_ms, self._deadline_ms)

    def begin_act(self, steady_ms: int) -> None:
        """An attempt or a load begins."""
        self.act_started_ms = steady_ms

    def not_applied(self, steady_ms: int) -> None:
        """This attempt was never sent: the same bytes again, later. Says nothing of earlier
        ones."""
        self._back_off(steady_ms)

    def conflicted(self) -> None:
        """Refused by its condition: perhaps because an earlier attempt landed. A load tells.

        Without a load nothing does: a proxy may have sent this very attempt twice, and what was
        answered is the refusal of the second.
        """
        self.was_ever_unknown = True
        self._must_load, self._has_looked = True, False

    def outcome_unknown(self) -> None:
        """Sent, and no answer, or a refusal, which may be of a second copy. A load tells."""
        self.was_ever_unknown = True
        self._must_load, self._has_looked = True, False

    def load_failed(self, steady_ms: int) -> None:
        """The load that should tell failed: again, later."""
        self._has_looked = True
        self._back_off(steady_ms)

    def loaded(self, found: Header | None, version: str | None, steady_ms: int) -> Verdict:
        """What the load says. `STILL_OPEN` means that the same bytes are sent again."""
        verdict = judge(self.commit_id, self.base_version, found, version)
        if verdict is Verdict.LANDED:
            # Standbys wait from when they saw the version change: a load proves nothing to them.
            self.act_started_ms = self.started_ms
        elif verdict is Verdict.STILL_OPEN:
            self._must_load = False
            self._back_off(steady_ms)
        return verdict

    def _back_off(self, steady_ms: int) -> None:
        self._not_before_ms = steady_ms + int(self._backoff_ms * (0.5 + self._random.random()))
        self._backoff_ms = min(self._backoff_ms * 2, _BACKOFF_MS_MAX)
