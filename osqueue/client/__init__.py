"""Submit, claim and settle jobs from a Trio program: `from osqueue.client import Client`."""

from osqueue.client.client import Client
from osqueue.client.requests import Claim, Completion, Held, JobError, Lease, NewJob
from osqueue.client.results import (
    ClaimedJob,
    Completions,
    Failure,
    Heartbeats,
    JobDetails,
    JobFailure,
    JobPage,
    Stats,
    Submitted,
    SubmittedJobs,
)

__all__ = [
    "Claim",
    "ClaimedJob",
    "Client",
    "Completion",
    "Completions",
    "Failure",
    "Heartbeats",
    "Held",
    "JobDetails",
    "JobError",
    "JobFailure",
    "JobPage",
    "Lease",
    "NewJob",
    "Stats",
    "Submitted",
    "SubmittedJobs",
]
