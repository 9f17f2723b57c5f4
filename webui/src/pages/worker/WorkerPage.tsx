/** The tab is a worker: what it shall do at the left, what it holds at the right. */

import type { Signal } from "@preact/signals";
import { formatCount, formatDuration, formatJobs } from "../../figures/format.ts";
import { ticks } from "../../live/clock.ts";
import { isLive, stats } from "../../live/queue.ts";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { JobLink } from "../../parts/JobLink.tsx";
import { Panel } from "../../parts/Panel.tsx";
import { type Column, Table } from "../../parts/Table.tsx";
import {
  BOUNDS,
  type Held,
  held,
  isWorking,
  problem,
  start,
  stop,
  totals,
  wishes,
  workerId,
} from "./tab_worker.ts";
import "../producer/producer.css";

export function WorkerPage() {
  return (
    <div class="worker">
      <h1 class="spoken">Worker</h1>
      <Panel title="This tab works" aside={<span class="id">{workerId}</span>}>
        <Wishes />
      </Panel>
      <Panel title="Held jobs">
        <Totals />
        {problem.value !== "" && <p class="problem">{problem}</p>}
        <Rows />
      </Panel>
    </div>
  );
}

function Wishes() {
  return (
    <div class="producer-form">
      <label class="field">
        Types, separated by commas
        <input
          value={wishes.types.value}
          placeholder="all"
          onInput={(event) => (wishes.types.value = event.currentTarget.value)}
        />
      </label>
      <Slider
        label="At the same time"
        value={wishes.concurrency}
        {...BOUNDS.concurrency}
        format={formatJobs}
      />
      <Slider label="Work time" value={wishes.workMs} {...BOUNDS.workMs} format={inMs} />
      <Slider
        label="Failures"
        value={wishes.failurePercent}
        {...BOUNDS.failurePercent}
        format={inPercent}
      />
      <button
        type="button"
        class={isWorking.value ? "big" : "big primary"}
        disabled={!isWorking.value && !isLive.value}
        onClick={() => (isWorking.value ? stop() : start())}
      >
        {isWorking.value ? "Stop" : "Start working"}
      </button>
      <p class="quiet-text">
        Closing the tab gives its jobs back; what is held at a stop is finished.
      </p>
    </div>
  );
}

interface SliderGiven {
  label: string;
  value: Signal<number>;
  min: number;
  max: number;
  format: (value: number) => string;
}

function inMs(value: number): string {
  return `${formatCount(value)} ms`;
}

function inPercent(value: number): string {
  return `${value} %`;
}

function Slider({ label, value, min, max, format }: SliderGiven) {
  return (
    <label class="field">
      {`${label}: ${format(value.value)}`}
      <input
        type="range"
        min={min}
        max={max}
        value={value.value}
        onInput={(event) => (value.value = event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

/** Figures that are coloured once they are not 0. */
const BAD = new Set(["Failed", "Lost"]);

function Totals() {
  const { claimed, completed, failed, lost, givenBack } = totals.value;
  const figures = {
    Claimed: claimed,
    Completed: completed,
    Failed: failed,
    Lost: lost,
    "Given back": givenBack,
  };
  return (
    <dl class="numbers">
      {Object.entries(figures).map(([name, count]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd data-tone={BAD.has(name) && count > 0 ? "dead" : undefined}>{formatCount(count)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Rows() {
  if (held.value.length > 0) {
    return <Table label="Held jobs" columns={COLUMNS} rows={held.value} keyOf={keyOf} />;
  }
  if (isWorking.value && stats.value?.paused) {
    return (
      <EmptyState title="The queue is paused">Jobs are handed over once it is resumed.</EmptyState>
    );
  }
  return (
    <EmptyState title={isWorking.value ? "Waiting for jobs" : "Not working"}>
      {isWorking.value
        ? "A job is handed over in the very write that submits it."
        : "Start, and this tab claims jobs like any worker."}
    </EmptyState>
  );
}

function keyOf({ job }: Held): string {
  return `${job.jobId} ${job.attempt}`;
}

const COLUMNS: readonly Column<Held>[] = [
  { name: "Job", cell: ({ job }) => <JobLink id={job.jobId} /> },
  { name: "Type", cell: ({ job }) => job.type || "no type" },
  { name: "Attempt", cell: ({ job }) => `${job.attempt} of ${job.maxAttempts}`, isSecondary: true },
  { name: "Progress", cell: (one) => <Progress one={one} /> },
  { name: "Lease left", kind: "number", cell: (one) => <Lease one={one} /> },
];

function Progress({ one }: { one: Held }) {
  ticks.value;
  const share = (performance.now() - one.startedMs) / Math.max(one.endsMs - one.startedMs, 1);
  return (
    <progress aria-label={`Progress of ${one.job.jobId}`} max={1} value={Math.min(share, 1)} />
  );
}

function Lease({ one }: { one: Held }) {
  ticks.value;
  return <>{formatDuration(one.leaseEndsMs - performance.now())}</>;
}
