"""Faults of the tables and of the stored document."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_JOBS = "osqueue/core/tables/job_table.py"
_CLIENTS = "osqueue/core/tables/client_table.py"
_DOCUMENT = "osqueue/core/document.py"

MUTANTS = [
    Mutant(
        name="the attempt of a report is not checked",
        file=_JOBS,
        old="return job if lease.attempt is None or lease.attempt == job.attempts else None",
        new="return job",
        killed_by="world",
    ),
    Mutant(
        name="the worker of a report is not checked",
        file=_JOBS,
        old='job.status != "in_progress" or job.worker_id != worker_id:',
        new='job.status != "in_progress":',
        killed_by="tests/core/tables/test_job_table.py::"
        "test_lease_is_held_by_worker_job_and_attempt",
        because="every report of the world names its attempt, and no other worker has that one",
    ),
    Mutant(
        name="a unique key is never released",
        file=_JOBS,
        old="            del self._unique_keys[job.unique_key]\n",
        new="            pass\n",
        killed_by="world",
    ),
    Mutant(
        name="leases never begin",
        file=_JOBS,
        old="                self.leases.set(job.id, steady_ms + job.lease_ms)\n",
        new="                pass\n",
        killed_by="world",
    ),
    Mutant(
        name="jobs are handed out by submission only",
        file="osqueue/core/tables/ready_jobs.py",
        old='is claimable already"\n        self._live[job.id] = entry = (-job.priority,',
        new='is claimable already"\n        self._live[job.id] = entry = (0,',
        killed_by="world",
    ),
    Mutant(
        name="a type in a list of several is passed over",
        file="osqueue/core/tables/ready_jobs.py",
        old="        return min(heads)[2] if heads else None\n",
        new="        return heads[0][2] if heads else None\n",
        killed_by="world",
    ),
    Mutant(
        name="the floor of a client is ignored",
        file=_CLIENTS,
        old="        if repeat.sequence < floor:\n",
        new="        if False:\n",
        killed_by="world",
    ),
    Mutant(
        name="a client's answers are lost where its floor rises",
        file=_CLIENTS,
        old="{key: raw for key, raw in self.answers.items() if key >= floor}",
        new="{}",
        killed_by="world",
    ),
    Mutant(
        name="applied sequences are not stored",
        file=_DOCUMENT,
        old="        *state.clients.encode(),\n",
        new="",
        killed_by="world",
    ),
    Mutant(
        name="paused types are not stored",
        file=_DOCUMENT,
        old="paused_types = _encode(sorted(state.paused_types))",
        new="paused_types = _encode([])",
        killed_by="world",
    ),
    Mutant(
        name="fields of a newer version are dropped from jobs",
        file=_DOCUMENT,
        old="            unknown_fields[job.id] = unknown\n",
        new="            pass\n",
        killed_by="world",
    ),
    Mutant(
        name="a changed job keeps its old bytes",
        file="osqueue/core/tables/job_table.py",
        old="        self._place(job)\n        self.blocks.touch(job)\n",
        new="        self._place(job)\n",
        killed_by="world",
    ),
]
