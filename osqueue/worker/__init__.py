"""Run jobs: handlers registered by type, claimed and settled by `Worker`."""

from osqueue.worker.hooks import CallNext
from osqueue.worker.job import Job
from osqueue.worker.outcomes import Dead, Snooze, TimeLimitExceeded
from osqueue.worker.process.loading import load_worker
from osqueue.worker.worker import Worker

__all__ = ["CallNext", "Dead", "Job", "Snooze", "TimeLimitExceeded", "Worker", "load_worker"]
