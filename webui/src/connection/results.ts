/** Results and events as they travel: docs/protocol.md. Times are ms since the epoch. */

/** Any JSON value; whole numbers beyond 2^53 are bigint. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

export type JobStatus = "scheduled" | "unclaimed" | "in_progress" | "completed" | "dead";

export interface JobError {
  type: string;
  message: string;
  traceback?: string;
  attempt: number;
  at: number;
  startedAt?: number;
  workerId?: string;
}

/** A job as lists show it. */
export interface ListedJob {
  id: string;
  status: JobStatus;
  type: string;
  createdAt: number;
  attempts: number;
  maxAttempts: number;
  payload?: Json;
  workerId?: string;
  heartbeat?: number;
  runAt?: number;
  readyAt?: number;
  startedAt?: number;
  priority?: number;
  uniqueKey?: string;
  cancelRequested?: boolean;
  endedAt?: number;
  lastError?: { type: string; message: string };
}

export interface Job extends ListedJob {
  leaseMs?: number;
  resultTtlMs?: number;
  retry?: { baseMs: number; factor: number; capMs: number };
  errors?: JobError[];
  result?: Json;
}

export interface JobFilter {
  status?: JobStatus;
  type?: string;
  text?: string;
  errorType?: string;
  errorMessage?: string;
}

export interface JobList {
  jobs: ListedJob[];
  matched?: number;
  total: number;
  unclaimed: number;
  inProgress: number;
  completedTotal: number;
  brokerAddress: string;
  cursor?: string;
}

/** Of cancelJobs, deleteJobs, retryJobs and redriveDead. */
export interface Changed {
  count: number;
  skipped?: number;
  cursor?: string;
}

export interface DeadGroup {
  type: string;
  errorType: string;
  errorMessage: string;
  count: number;
  firstAt: number;
  lastAt: number;
  /** The one that died last. */
  jobId: string;
}

export interface DeadGroups {
  groups: DeadGroup[];
  total: number;
  dead: number;
}

export interface ClaimedJob {
  jobId: string;
  type: string;
  payload: Json;
  attempt: number;
  maxAttempts: number;
  createdAt: number;
  leaseMs: number;
}

export interface HeldJob {
  jobId: string;
  type: string;
  attempt: number;
  startedAt: number;
  leaseMs: number;
  leaseLeftMs: number;
  cancelRequested?: boolean;
}

export interface WorkerView {
  workerId: string;
  firstSeenAt: number;
  lastSeenAt: number;
  isPolling: boolean;
  types: string[];
  claimed: number;
  completed: number;
  failed: number;
  held: number;
  /** The first twenty that it holds. */
  jobs: HeldJob[];
}

export interface Workers {
  now: number;
  total: number;
  workers: WorkerView[];
}

export type CommitOutcome = "landed" | "conflict" | "unknown";

export interface Commit {
  commitId: string;
  at: number;
  mutations: number;
  bytes: number;
  milliseconds: number;
  outcome: CommitOutcome;
}

export interface Stats {
  now: number;
  total: number;
  unclaimed: number;
  inProgress: number;
  scheduled: number;
  completed: number;
  dead: number;
  completedTotal: number;
  brokerAddress: string;
  brokerName: string;
  epoch: number;
  commitId: string;
  paused: boolean;
  pausedTypes: string[];
  nextCreatedAt: number;
  /** 0: none waits. */
  oldestUnclaimedAt: number;
  /** 0: none is scheduled. */
  nextRunAt: number;
  workers: number;
  deadByType: { type: string; count: number }[];
  documentBytes: number;
  heartbeatIntervalMs: number;
  brokerTimeoutMs: number;
  lastCommit?: Commit;
  storage: {
    description: string;
    reads: number;
    writes: number;
    bytesRead: number;
    bytesWritten: number;
    commits: number;
    conflicts: number;
    unknownOutcomes: number;
  };
  totals: {
    since: number;
    submitted: number;
    claimed: number;
    completed: number;
    failed: number;
    died: number;
  };
}

/** The arrays of `buckets`: a value for each second, null where nothing was measured. */
export const BUCKET_NAMES = [
  "submitted",
  "claimed",
  "completed",
  "failed",
  "commits",
  "mutations",
  "conflicts",
  "unknownOutcomes",
  "commitMsP50",
  "commitMsP99",
  "waitMsP50",
  "waitMsP99",
  "oldestWaitMs",
] as const;

export type BucketName = (typeof BUCKET_NAMES)[number];

export interface Takeover {
  epoch: number;
  brokerName: string;
  brokerAddress?: string;
  at?: number;
}

export interface History {
  now: number;
  bucketMs: number;
  from: number;
  buckets: Record<BucketName, (number | null)[]>;
  commits: Commit[];
  takeovers: Takeover[];
}

/** One job that has changed, of the event `jobs`. */
export interface JobChange {
  id: string;
  status: JobStatus | "gone";
  type: string;
  attempts: number;
  at: number;
  workerId?: string;
  startedAt?: number;
  errorType?: string;
}

export interface Leader {
  epoch: number;
  /** Empty: nobody is known to lead. */
  brokerAddress: string;
}
