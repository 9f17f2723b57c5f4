"""Faults of group commit, of the pending write, and of elections."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_COMMIT = "osqueue/core/group_commit.py"
_FORMING = "osqueue/core/writes/forming.py"
_BATCHES = "osqueue/core/writes/batches.py"
_PENDING = "osqueue/core/writes/pending_write.py"
_LEADERSHIP = "osqueue/core/leadership.py"
_SIGNS = "osqueue/core/election/leader_signs.py"

MUTANTS = [
    Mutant(
        name="a change is answered before its write",
        file=_COMMIT,
        old="self.state.has_changed or beat_due or confirmed or self._is_releasing:",
        new="beat_due or confirmed or self._is_releasing:",
        killed_by="world",
    ),
    Mutant(
        name="trust counts for the whole timeout",
        file=_COMMIT,
        old="return self._proven_ms + trust_ms(timeout_ms)",
        new="return self._proven_ms + timeout_ms",
        killed_by="world",
    ),
    Mutant(
        name="trust ignores a shorter timeout on its way",
        file=_COMMIT,
        old="timeout_ms = min(timeout_ms, self._next_header.broker_timeout_ms)",
        new="timeout_ms = timeout_ms",
        killed_by="tests/core/test_group_commit.py::TestTrust::"
        "test_write_that_shortens_the_timeout_shortens_the_trust_while_it_may_have_landed",
        because="a write that shortens the timeout and a takeover after it: in no 500 seeds",
    ),
    Mutant(
        name="requests are applied while draining",
        file=_COMMIT,
        old="is_late=self.is_draining)",
        new="is_late=False)",
        killed_by="world",
    ),
    Mutant(
        name="a 412 counts as not landed",
        file=_COMMIT,
        old="        self._end_act().conflicted()\n",
        new="        self._end_act().not_applied(self._written_ms)\n",
        killed_by="world",
    ),
    Mutant(
        name="a lost reply counts as not landed",
        file=_COMMIT,
        old="        self._end_act().outcome_unknown()\n",
        new="        self._end_act().not_applied(self._written_ms)\n",
        killed_by="world",
    ),
    Mutant(
        name="leases are not renewed after a takeover",
        file=_COMMIT,
        old="= pace.lease_ms_min\n        self.state.renew_leases(steady_ms)\n",
        new="= pace.lease_ms_min\n",
        killed_by="world",
    ),
    Mutant(
        name="leases are not renewed after an outage",
        file=_COMMIT,
        old="        if not self._is_proven(proven_ms):\n",
        new="        if False:\n",
        killed_by="world",
    ),
    Mutant(
        name="what is committed is not remembered for an undo",
        file=_COMMIT,
        old="        self._committed_chunks = pending.chunks\n        self.header",
        new="        self.header",
        killed_by="world",
    ),
    Mutant(
        name="a batch that is given up stays applied",
        file=_COMMIT,
        old="self.state, self.header = committed.state, committed.header",
        new="self.header = committed.header",
        killed_by="world",
    ),
    Mutant(
        name="the lead is never released",
        file=_COMMIT,
        old="broker=None if self._is_releasing else self.header.broker,",
        new="broker=self.header.broker,",
        killed_by="shells",
    ),
    Mutant(
        name="abandoned claims are served",
        file=_FORMING,
        old="        if ticket.is_abandoned:\n            if is_completing:\n",
        new="        if False:\n            if is_completing:\n",
        killed_by="world",
    ),
    Mutant(
        name="an untrusted leader takes leases away",
        file=_FORMING,
        old="        if is_trusted:\n            pulses.append(ExpireJobs())\n",
        new="        if True:\n            pulses.append(ExpireJobs())\n",
        killed_by="world",
    ),
    Mutant(
        name="claims that wait are never served",
        file=_FORMING,
        old="self._answer_late(ticket, mutation))\n        self._serve_waiting()\n",
        new="self._answer_late(ticket, mutation))\n",
        killed_by="tests/core/writes/test_forming.py::"
        "test_claims_served_from_waiting_count_as_mutations",
        because="whoever waits asks again when its wait is over: the job comes late",
    ),
    Mutant(
        name="claims wait for ever",
        file=_FORMING,
        old="        ended = waiting_claims.due(self._steady_ms)\n",
        new="        ended = waiting_claims.due(0)\n",
        killed_by="world",
    ),
    Mutant(
        name="leases expire before heartbeats are heard",
        file=_BATCHES,
        old="    HeartbeatJobs: 0,\n",
        new="    HeartbeatJobs: _REST,\n",
        killed_by="world",
    ),
    Mutant(
        name="completions come after expiry",
        file=_BATCHES,
        old="    CompleteJobs: 1,\n",
        new="    CompleteJobs: _REST,\n",
        killed_by="world",
    ),
    Mutant(
        name="claims of cancelled callers are not given back",
        file=_BATCHES,
        old="            if ticket.is_abandoned and jobs:\n",
        new="            if False:\n",
        killed_by="shells",
    ),
    Mutant(
        name="what a repeat was told that it holds is given back",
        file=_BATCHES,
        old="                    unclaimed.pop(key, None)\n",
        new="                    pass\n",
        killed_by="world",
    ),
    Mutant(
        name="the verdicts of the lineage are swapped",
        file=_PENDING,
        old="return Verdict.LANDED_THEN_DEPOSED if is_ours else Verdict.NOT_LANDED",
        new="return Verdict.NOT_LANDED if is_ours else Verdict.LANDED_THEN_DEPOSED",
        killed_by="world",
    ),
    Mutant(
        name="a write that may still land counts as not landed",
        file=_PENDING,
        old="        return Verdict.STILL_OPEN\n",
        new="        return Verdict.NOT_LANDED\n",
        killed_by="world",
    ),
    Mutant(
        name="an unknown document counts as not landed",
        file=_PENDING,
        old="    return Verdict.UNTELLABLE\n",
        new="    return Verdict.NOT_LANDED\n",
        killed_by="tests/core/writes/test_pending_write.py::TestJudge::"
        "test_rule_4_a_lineage_that_says_nothing_of_our_term_cannot_tell",
        because="where nothing can tell the document was replaced: what it held is gone",
    ),
    Mutant(
        name="trust counts from a load",
        file=_PENDING,
        old="            self.act_started_ms = self.started_ms\n",
        new="            pass\n",
        killed_by="world",
    ),
    Mutant(
        name="a takeover leaves no entry in the lineage",
        file=_LEADERSHIP,
        old="lineage=[*old.lineage, takeover][-LINEAGE_LENGTH:],",
        new="lineage=old.lineage,",
        killed_by="world",
    ),
    Mutant(
        name="a takeover does not raise the epoch",
        file=_LEADERSHIP,
        old="        epoch = old.epoch + 1\n",
        new="        epoch = max(old.epoch, 1)\n",
        killed_by="world",
    ),
    Mutant(
        name="a standby waits for a quarter of the timeout",
        file=_SIGNS,
        old="at_ms = self._changed_ms + header.broker_timeout_ms",
        new="at_ms = self._changed_ms + header.broker_timeout_ms // 4",
        killed_by="world",
    ),
    Mutant(
        name="a port that refuses proves that the leader is gone",
        file=_SIGNS,
        old="if self._is_process_gone and (self._refuses_now or not is_asked):",
        new="if self._has_refused or self._is_process_gone and not is_asked:",
        killed_by="world",
    ),
    Mutant(
        name="an own name in the document is a reason to lead at once",
        file=_SIGNS,
        old="        at_ms, reason = self._changed_ms, self._proof(header)\n",
        new="        if _leader_name(header) == self._identity.name:\n"
        '            return self._changed_ms, "its own name"\n'
        "        at_ms, reason = self._changed_ms, self._proof(header)\n",
        killed_by="world",
    ),
    Mutant(
        name="evidence counts while the leader trusts itself",
        file="osqueue/core/election/trust.py",
        old="return trusted_ms + trusted_ms // _DRIFT + _ROUNDING_MS",
        new="return trusted_ms // 2",
        killed_by="world",
    ),
    Mutant(
        name="an older copy is believed",
        file=_SIGNS,
        old="if last is not None and not _follows(header, last):",
        new="if False and last is not None and not _follows(header, last):",
        killed_by="world",
    ),
    Mutant(
        name="a process that is missing here proves that a leader who answers is gone",
        file=_SIGNS,
        old="if self._is_process_gone and (self._refuses_now or not is_asked):",
        new="if self._is_process_gone:",
        killed_by="world",
    ),
    Mutant(
        name="commit ids are given twice",
        file="osqueue/core/writes/terms.py",
        old="        self._sequence += 1\n",
        new="        self._sequence = max(self._sequence, 1)\n",
        killed_by="world",
    ),
    Mutant(
        name="a wall clock that jumps is followed",
        file="osqueue/core/clocks/queue_time.py",
        old="        return steady_ms + known_ms\n",
        new="        return wall_ms\n",
        killed_by="world",
    ),
    Mutant(
        name="a jump of the wall clock confirms itself",
        file="osqueue/core/clocks/queue_time.py",
        old="if store_offset_ms is None or abs(",
        new="if store_offset_ms and abs(",
        killed_by="world",
    ),
    Mutant(
        name="a confirmed read is answered from memory",
        file="osqueue/core/group_commit.py",
        old="if self.state.has_changed or beat_due or confirmed or",
        new="if self.state.has_changed or beat_due or",
        killed_by="world",
    ),
]
