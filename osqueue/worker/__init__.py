"""Run jobs: handlers registered by type, claimed and settled by `Worker`."""

from osqueue.worker.handlers import TimeLimitExceeded
from osqueue.worker.job import Job
from osqueue.worker.loading import load_worker
from osqueue.worker.worker import Worker

__all__ = ["Job", "TimeLimitExceeded", "Worker", "load_worker"]
