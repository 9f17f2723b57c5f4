/** One action on many jobs: counted first, then carried out, in as many requests as it takes. */

import type { Changed, JobFilter, JobStatus } from "../../connection/results.ts";

const JOB_IDS_MAX = 10_000;

export type Target = { jobIds: readonly string[] } | { filter: JobFilter };

export interface Action {
  method: "cancelJobs" | "retryJobs" | "deleteJobs";
  verb: string;
  /** "Cancelled 12 jobs" */
  past: string;
  /** What becomes of the jobs. */
  detail: string;
  /** Whom it is for, where it fits nobody: "Only dead and scheduled jobs can be retried". */
  only: string;
  fits: ReadonlySet<JobStatus | "gone">;
  isDangerous: boolean;
}

export const CANCEL: Action = {
  method: "cancelJobs",
  verb: "Cancel",
  past: "Cancelled",
  detail: "Waiting jobs are removed; the workers of running ones are asked to stop.",
  only: "Only jobs that wait, are scheduled or run can be cancelled.",
  fits: new Set(["unclaimed", "scheduled", "in_progress"]),
  isDangerous: true,
};

export const RETRY: Action = {
  method: "retryJobs",
  verb: "Retry",
  past: "Made claimable:",
  detail: "Each may be claimed at once, with one more attempt where it had none left.",
  only: "Only dead and scheduled jobs can be made claimable.",
  fits: new Set(["dead", "scheduled"]),
  isDangerous: false,
};

export const DELETE: Action = {
  method: "deleteJobs",
  verb: "Delete",
  past: "Deleted",
  detail: "They are removed for good, with their payloads, errors and results.",
  only: "Running jobs cannot be deleted: cancel them first.",
  fits: new Set(["unclaimed", "scheduled", "completed", "dead"]),
  isDangerous: true,
};

/** How one request is made: `act` for a change, `ask` for a count. */
export type Call = (method: string, params: object) => Promise<Changed>;

/**
 * Goes through all of it, following the cursor.
 *
 * @throws QueueError: a request failed; those before it have done their part.
 */
export async function goThrough(
  method: string,
  target: Target,
  call: Call,
  more: object = {},
): Promise<{ count: number; skipped: number }> {
  let count = 0;
  let skipped = 0;
  for (const part of split(target)) {
    const changed = await followCursor(method, { ...part, ...more }, call);
    count += changed.count;
    skipped += changed.skipped;
  }
  return { count, skipped };
}

/**
 * Makes one request again from where its answer stopped, until it has gone through all.
 *
 * @throws QueueError: a request failed; those before it have done their part.
 */
export async function followCursor(
  method: string,
  params: object,
  call: Call,
): Promise<{ count: number; skipped: number }> {
  let count = 0;
  let skipped = 0;
  let cursor: string | undefined;
  do {
    const place = cursor === undefined ? {} : { cursor };
    const changed = await call(method, { ...params, ...place });
    count += changed.count;
    skipped += changed.skipped ?? 0;
    cursor = changed.cursor;
  } while (cursor !== undefined);
  return { count, skipped };
}

function split(target: Target): object[] {
  if ("filter" in target) return [target];
  const parts: object[] = [];
  for (let at = 0; at < target.jobIds.length; at += JOB_IDS_MAX) {
    parts.push({ jobIds: target.jobIds.slice(at, at + JOB_IDS_MAX) });
  }
  return parts;
}
