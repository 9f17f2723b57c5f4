"""Faults of what surrounds the core: broker, server, client, worker."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_CALLS = "osqueue/client/calls.py"

MUTANTS = [
    Mutant(
        name="a client takes any answer as its own",
        file=_CALLS,
        old='whatever happened before."""\n        call = self._open.get(call_id)',
        new='whatever happened before."""\n        call = next(iter(self._open.values()), None)',
        killed_by="world",
    ),
    Mutant(
        name="a repeat gets a new sequence",
        file=_CALLS,
        old="if call.is_sequenced and call.sequence is None and not self._number(call):",
        new="if call.is_sequenced and not self._number(call):",
        killed_by="world",
    ),
    Mutant(
        name="a lost attempt is not remembered",
        file=_CALLS,
        old="        call.is_unanswered = True\n",
        new="",
        killed_by="world",
    ),
    Mutant(
        name="the floor passes what is waited for",
        file=_CALLS,
        old="while floor < self._next_sequence and floor not in waited_for:",
        new="while floor < self._next_sequence:",
        killed_by="world",
    ),
    Mutant(
        name="an unknown outcome passes for nothing applied",
        file=_CALLS,
        old="    if call.is_sequenced and call.is_unanswered:\n",
        new="    if False:\n",
        killed_by="world",
    ),
    Mutant(
        name="jobs of a cancelled claim are kept",
        file=_CALLS,
        old="            on_orphaned(call.result)\n",
        new="            pass\n",
        killed_by="tests/client/test_calls.py::"
        "test_the_result_of_a_cancelled_call_goes_to_whoever_takes_care_of_it",
        because="their leases run out: they come late",
    ),
    Mutant(
        name="a client follows a leader of an older term",
        file="osqueue/client/route.py",
        old="        if not address or epoch < self._epoch:\n",
        new="        if not address:\n",
        killed_by="tests/client/test_route.py::test_the_highest_epoch_counts",
        because="whoever does not lead says so, and the client goes on: it is only slow",
    ),
    Mutant(
        name="calls are never given up",
        file="osqueue/client/session.py",
        old="            calls.expire(now_ms)\n",
        new="",
        killed_by="shells",
    ),
    Mutant(
        name="a conflict is reported as not applied",
        file="osqueue/broker/store_calls.py",
        old='            return "conflicted"\n',
        new='            return "not applied"\n',
        killed_by="shells",
    ),
    Mutant(
        name="a cancelled caller is not told to the core",
        file="osqueue/broker/broker.py",
        old="            term.abandon(waiter)\n",
        new="            pass\n",
        killed_by="shells",
    ),
    Mutant(
        name="whoever waits is not told that the lead was lost",
        file="osqueue/broker/change_feed.py",
        old="        for watchers in self._ends.values():\n            self._wake(watchers)\n",
        new="        for watchers in self._ends.values():\n            pass\n",
        killed_by="tests/broker/test_change_feed.py::"
        "test_change_of_leader_wakes_everybody_who_waits_for_a_job",
        because="it looks again when its wait is over, which is late and no wrong answer",
    ),
    Mutant(
        name="a slow reader is not told what it has missed",
        file="osqueue/broker/change_feed.py",
        old="                self._jobs_missed += 1\n",
        new="                pass\n",
        killed_by="shells",
    ),
    Mutant(
        name="whoever waits for an end is never woken",
        file="osqueue/broker/change_feed.py",
        old="                    self._wake(self._ends.get(change.id, ()))\n",
        new="                    pass\n",
        killed_by="tests/broker/test_change_feed.py::test_end_of_a_job_wakes_its_watchers_only",
        because="it looks again when its wait is over, which is late and no wrong answer",
    ),
    Mutant(
        name="callers are not settled at the end of a term",
        file="osqueue/broker/broker.py",
        old="            wake_now(term.cut_off())\n",
        new="            term.cut_off()\n",
        killed_by="shells",
    ),
    Mutant(
        name="the wire's priority is dropped",
        file="osqueue/server/requests.py",
        old='job.priority = check_range("priority",',
        new='check_range("priority",',
        killed_by="tests/server/test_requests.py::test_method_becomes_the_request",
        because="the world has no wire, and nobody in the shells asks for a priority",
    ),
    Mutant(
        name="a sequence on the wire is dropped",
        file="osqueue/server/requests.py",
        old="            self._mark_repeat(request, wire, context)\n",
        new="            pass\n",
        killed_by="shells",
    ),
    Mutant(
        name="the listener closes before the lead is released",
        file="osqueue/cli/broker/process.py",
        old='        self._server.begin_drain("the broker is stopping")\n',
        new="        self._server.stop()\n",
        killed_by="tests/cli/broker/test_process.py::"
        "test_port_stays_open_until_the_lead_is_released",
        because="the simulations have no sockets and no signals",
    ),
    Mutant(
        name="a lost job is reported all the same",
        file="osqueue/worker/shift.py",
        old='        if attempt.stopped == "lost":\n',
        new="        if False:\n",
        killed_by="tests/worker/test_shift.py::"
        "test_a_job_whose_lease_is_lost_is_stopped_and_not_reported",
        because="the broker refuses such a report by its attempt",
    ),
    Mutant(
        name="a drained worker keeps what it has claimed",
        file="osqueue/worker/shift.py",
        old="if self._is_draining:\n                self._settlements.give_back(claimed)\n",
        new="if self._is_draining:\n",
        killed_by="tests/worker/test_shift.py::"
        "test_a_drain_gives_back_what_a_report_on_its_way_brings",
        because="their leases run out: they come late",
    ),
    Mutant(
        name="a lease is not kept while its report is on its way",
        file="osqueue/worker/shift.py",
        old="        return [*self._settlements.unsettled, *held]\n",
        new="        return held\n",
        killed_by="tests/worker/test_shift.py::test_a_lease_is_kept_until_its_report_is_answered",
        because="a job that runs twice is allowed",
    ),
    Mutant(
        name="more is claimed than there are slots",
        file="osqueue/worker/shift.py",
        old="                self._reserved += free\n                jobs:",
        new="                jobs:",
        killed_by="tests/worker/test_shift.py::test_as_much_is_claimed_as_there_is_room_for",
        because="jobs that wait in a worker break no promise",
    ),
    Mutant(
        name="a permission that is missing passes for never sent",
        file="osqueue/broker/store_calls.py",
        old="        case NotApplied():\n",
        new="        case NotApplied() | AccessDenied():\n",
        killed_by="world",
    ),
    Mutant(
        name="a machine's time stands still while it is suspended",
        file="osqueue/clocks.py",
        old='getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)',
        new="time.CLOCK_MONOTONIC",
        killed_by="tests/test_clocks.py::"
        "test_steady_clock_has_run_on_while_the_machine_was_suspended",
        because="the simulations have clocks of their own",
    ),
    Mutant(
        name="a mutation is sent after its time is over",
        file="osqueue/client/calls.py",
        old="                if call.deadline_ms <= now_ms:\n                    queue.popleft()\n",
        new="                if False:\n                    queue.popleft()\n",
        killed_by="tests/client/test_calls.py::test_mutation_whose_time_is_over_is_not_repeated",
        because="no timer of the world is later than the frame",
    ),
    Mutant(
        name="a client does not count the time of a suspension",
        file="osqueue/clocks.py",
        old=" + suspended_ns // 1_000_000\n",
        new="\n",
        killed_by="tests/test_clocks.py::"
        "test_clock_of_clients_follows_the_mock_clock_and_counts_what_it_leaves_out",
        because="the simulations have clocks of their own",
    ),
    Mutant(
        name="a client repeats beyond its deadline",
        file="osqueue/client/calls.py",
        old="now_ms + budget_ms + wait_ms",
        new="now_ms + 3_600_000",
        killed_by="world",
    ),
]
