/** The last five minutes as lines: what came and went, and how long things took. */

import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { formatCount, formatDuration, formatRate } from "../../figures/format.ts";
import type { Past } from "../../live/past.ts";
import { past } from "../../live/queue.ts";
import { Chart, type Line } from "../../parts/Chart.tsx";
import { Chips } from "../../parts/Chips.tsx";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { Panel } from "../../parts/Panel.tsx";

export function ThroughputChart() {
  const { times, buckets } = past.value;
  const lines = useMemo<Line[]>(
    () => [
      { name: "submitted", color: "waiting", values: buckets.submitted },
      { name: "completed", color: "done", values: buckets.completed },
      { name: "failed", color: "dead", isDashed: true, values: buckets.failed },
    ],
    [buckets],
  );
  return (
    <Panel title="Throughput, last 5 min">
      {times.length === 0 ? (
        <NoFigures />
      ) : (
        <Chart
          label="Jobs submitted, completed and failed each second of the last five minutes"
          times={times}
          lines={lines}
          format={formatRate}
        />
      )}
    </Panel>
  );
}

type Kind = "wait" | "commit" | "batch" | "oldest";

interface KindWords {
  name: string;
  chip: string;
  label: string;
  format: (value: number) => string;
  steps?: readonly number[];
}

/** Durations whose labels are short: 20 s, 1 min, 2 h. */
const STEPS_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * 1_000),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 6, 12, 24, 48, 120, 240, 720, 2_400, 8_760].map((hours) => hours * 3_600_000),
];

const KINDS: Record<Kind, KindWords> = {
  wait: {
    name: "Submit to start",
    chip: "Start",
    label: "Time from when a job was claimable to when its worker is told, p50 and p99",
    format: formatDuration,
    steps: STEPS_MS,
  },
  commit: {
    name: "Commit",
    chip: "Commit",
    label: "Duration of a commit, p50 and p99",
    format: formatDuration,
    steps: STEPS_MS,
  },
  batch: { name: "Batch", chip: "Batch", label: "Mutations in a commit", format: formatCount },
  oldest: {
    name: "Oldest waiting",
    chip: "Oldest",
    label: "Age of the job that has been waiting longest",
    format: formatDuration,
    steps: STEPS_MS,
  },
};

const kind = signal<Kind>("wait");

export function LatencyChart() {
  const { times, buckets } = past.value;
  const shown = kind.value;
  const lines = useMemo(() => makeLines(shown, buckets), [shown, buckets]);
  const { name, label, format, steps } = KINDS[shown];
  const chips = (Object.keys(KINDS) as Kind[]).map((value) => ({ value, name: KINDS[value].chip }));
  return (
    <Panel
      title={name}
      aside={
        <Chips
          label="What the chart shows"
          chips={chips}
          chosen={shown}
          onChoose={(value) => (kind.value = value)}
        />
      }
    >
      {times.length === 0 ? (
        <NoFigures />
      ) : (
        <Chart
          key={shown}
          label={label}
          times={times}
          lines={lines}
          format={format}
          {...(steps && { steps })}
        />
      )}
    </Panel>
  );
}

function makeLines(shown: Kind, buckets: Past["buckets"]): Line[] {
  switch (shown) {
    case "wait":
      return percentiles(buckets.waitMsP50, buckets.waitMsP99);
    case "commit":
      return percentiles(buckets.commitMsP50, buckets.commitMsP99);
    case "batch": {
      const values = buckets.mutations.map((count, index) => {
        const commits = buckets.commits[index] ?? 0;
        return count === null || commits === 0 ? null : count / commits;
      });
      return [{ name: "mutations a commit", color: "running", values }];
    }
    case "oldest":
      return [{ name: "oldest", color: "waiting", values: buckets.oldestWaitMs }];
  }
}

function percentiles(p50: (number | null)[], p99: (number | null)[]): Line[] {
  return [
    { name: "p50", color: "running", values: p50 },
    { name: "p99", color: "scheduled", isDashed: true, values: p99 },
  ];
}

function NoFigures() {
  return <EmptyState title="No figures yet">The leader tells the first after a second.</EmptyState>;
}
