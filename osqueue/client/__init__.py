"""Submit, claim and settle jobs from a Trio program: `from osqueue.client import Client`."""

from osqueue.client.client import Client
from osqueue.client.events import (
    CommitEvent,
    Event,
    Gap,
    JobChange,
    JobsEvent,
    LeaderEvent,
    StatsEvent,
    Subscription,
)
from osqueue.client.requests import Claim, Completion, Held, JobError, Lease, NewJob
from osqueue.client.results import (
    ClaimedJob,
    Completions,
    Failure,
    Heartbeats,
    JobDead,
    JobDetails,
    JobFailure,
    JobPage,
    Stats,
    Submitted,
    SubmittedJobs,
    ThrottleStats,
)

__all__ = [
    "Claim",
    "ClaimedJob",
    "Client",
    "CommitEvent",
    "Completion",
    "Completions",
    "Event",
    "Failure",
    "Gap",
    "Heartbeats",
    "Held",
    "JobChange",
    "JobDead",
    "JobDetails",
    "JobError",
    "JobFailure",
    "JobPage",
    "JobsEvent",
    "LeaderEvent",
    "Lease",
    "NewJob",
    "Stats",
    "StatsEvent",
    "Submitted",
    "SubmittedJobs",
    "Subscription",
    "ThrottleStats",
]
