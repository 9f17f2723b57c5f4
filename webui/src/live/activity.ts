/** What has happened to jobs, newest first: the log that the dashboard shows. */

import { effect, signal } from "@preact/signals";
import type { JobChange } from "../connection/results.ts";
import { changes } from "./queue.ts";

const KEPT = 200;

export interface Deed extends JobChange {
  /** Counts deeds, so that each has a key. */
  number: number;
}

export const activity = signal<readonly Deed[]>([]);
let count = 0;

effect(() => {
  const { jobs } = changes.value;
  if (jobs.length === 0) return;
  const fresh = jobs.slice(-KEPT).map((job) => ({ ...job, number: ++count }));
  activity.value = [...fresh.reverse(), ...activity.peek()].slice(0, KEPT);
});

/** What happened, in a word, and what colour goes with it. */
export function describeChange(change: JobChange): { verb: string; tone: string } {
  const failed = change.errorType !== undefined;
  switch (change.status) {
    case "in_progress":
      return { verb: "started", tone: "" };
    case "completed":
      return { verb: "completed", tone: "done" };
    case "dead":
      return { verb: "died", tone: "dead" };
    case "gone":
      return { verb: "gone", tone: "" };
    case "scheduled":
      if (failed) return { verb: "failed", tone: "dead" };
      return { verb: change.attempts > 0 ? "snoozed" : "scheduled", tone: "" };
    case "unclaimed":
      if (failed) return { verb: "failed", tone: "dead" };
      return { verb: change.attempts > 0 ? "waits again" : "submitted", tone: "" };
  }
}
