/** A job's status: a shape, a word and a colour. */

import type { JobStatus } from "../connection/results.ts";

export const STATUSES: Record<JobStatus | "gone", { word: string; shape: string; tone: string }> = {
  unclaimed: { word: "waiting", shape: "○", tone: "waiting" },
  in_progress: { word: "running", shape: "▶", tone: "running" },
  scheduled: { word: "scheduled", shape: "◷", tone: "scheduled" },
  completed: { word: "done", shape: "✓", tone: "done" },
  dead: { word: "dead", shape: "✕", tone: "dead" },
  gone: { word: "gone", shape: "–", tone: "waiting" },
};

export function Status({ status }: { status: JobStatus | "gone" }) {
  const { word, shape, tone } = STATUSES[status];
  return (
    <span class="status" data-tone={tone}>
      <span aria-hidden="true">{shape}</span> {word}
    </span>
  );
}
