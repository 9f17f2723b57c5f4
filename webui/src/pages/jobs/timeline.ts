/** The life of a job as a list of what happened, oldest first. */

import type { Job, JobError } from "../../connection/results.ts";
import { formatDuration } from "../../figures/format.ts";

export interface Step {
  /** What happened, in a few words. */
  what: string;
  tone: "waiting" | "running" | "scheduled" | "done" | "dead";
  /** When, ms since the epoch; undefined: not known, or still to come. */
  at: number | undefined;
  /** How long it took or who did it. */
  detail: string;
  error?: JobError;
}

/** The steps of a job; `now` is the broker's clock. */
export function stepsOf(job: Job, now: number): Step[] {
  const errors = job.errors ?? [];
  const steps: Step[] = [{ what: "Submitted", tone: "waiting", at: job.createdAt, detail: "" }];
  const firstKept = errors[0]?.attempt ?? job.attempts + 1;
  const isAttemptOpen = job.status === "in_progress" || job.status === "completed";
  const forgotten = Math.min(firstKept, isAttemptOpen ? job.attempts : Infinity) - 1;
  if (errors.length > 0 && forgotten > 0) {
    const what = forgotten === 1 ? "1 earlier attempt" : `${forgotten} earlier attempts`;
    steps.push({ what, tone: "waiting", at: undefined, detail: "not kept" });
  }
  for (const error of errors) steps.push(failed(error));
  const last = lastStep(job, now);
  if (last !== undefined) steps.push(last);
  return steps;
}

function failed(error: JobError): Step {
  const parts: string[] = [];
  if (error.startedAt !== undefined)
    parts.push(`after ${formatDuration(error.at - error.startedAt)}`);
  if (error.workerId !== undefined) parts.push(`by ${error.workerId}`);
  return {
    what: `Attempt ${error.attempt} failed`,
    tone: "dead",
    at: error.at,
    detail: parts.join(" "),
    error,
  };
}

function lastStep(job: Job, now: number): Step | undefined {
  switch (job.status) {
    case "in_progress": {
      const detail = job.workerId === undefined ? "" : `by ${job.workerId}`;
      const what = `Attempt ${job.attempts} running`;
      return { what, tone: "running", at: job.startedAt, detail };
    }
    case "completed": {
      const took = job.startedAt !== undefined && job.endedAt !== undefined;
      const detail = took
        ? `after ${formatDuration((job.endedAt ?? 0) - (job.startedAt ?? 0))}`
        : "";
      const what = `Attempt ${job.attempts} completed`;
      return { what, tone: "done", at: job.endedAt, detail };
    }
    case "dead":
      return { what: "Became a dead letter", tone: "dead", at: job.endedAt, detail: "" };
    case "scheduled": {
      const inMs = (job.runAt ?? now) - now;
      const detail = inMs > 0 ? `in ${formatDuration(inMs)}` : "due now";
      return { what: "Scheduled", tone: "scheduled", at: job.runAt, detail };
    }
    case "unclaimed": {
      const since = job.readyAt ?? job.createdAt;
      const detail = `for ${formatDuration(now - since)}`;
      return { what: "Waiting for a worker", tone: "waiting", at: undefined, detail };
    }
  }
}
