/**
 * Submitting from this tab: one job, a burst, or steadily at a rate; goes on while you look at
 * other pages of the tab. Every job has its id before it is sent, so a repeat adds nothing.
 */

import { computed, signal } from "@preact/signals";
import { encodeMessage } from "../../connection/encoding.ts";
import { explain, QueueError } from "../../connection/errors.ts";
import { makeJobId } from "../../connection/ids.ts";
import type { Json, Stats } from "../../connection/results.ts";
import { every } from "../../connection/timers.ts";
import { ask, session } from "../../live/queue.ts";

const ROWS_KEPT = 50;
const LATENCIES_KEPT = 2_000;
/** Of one request; a burst is several of them. */
const JOBS_A_CALL = 1_000;
const CALL_BYTES = 500_000;
/** What a request weighs beside its jobs, and what the next digit of a number may add to one. */
const MARGIN_BYTES = 256;
const STEADY_TICK_MS = 100;
const CATCH_UP_MS = 2_000;
/** Beyond these a steady producer waits for the broker instead of piling up. */
const OPEN_CALLS_MAX = 100;

/** The params of a job, but for its id. */
export interface NewJob {
  type?: string;
  payload: Json;
  priority?: number;
  delayMs?: number;
  maxAttempts?: number;
  uniqueKey?: string;
  resultTtlMs?: number;
}

/** One request and what became of it. */
export interface Submission {
  number: number;
  at: number;
  jobIds: readonly string[];
  state: "committing" | "durable" | "failed";
  latencyMs?: number;
  duplicates?: number;
  /** A commit that is known to hold it, or to come after the one that does. */
  commitId?: string;
  problem?: string;
}

export const submissions = signal<readonly Submission[]>([]);
export const submittedCount = signal(0);
export const failedCount = signal(0);
const latencies = signal<readonly number[]>([]);
/** Jobs a second, while a steady producer runs. */
export const steadyRate = signal<number | undefined>(undefined);
/** Why the steady producer lags behind its rate. */
export const isHeldUp = signal(false);

export const percentiles = computed(() => {
  const sorted = [...latencies.value].sort((one, other) => one - other);
  const at = (share: number) =>
    sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)];
  return { p50: at(0.5), p99: at(0.99), count: sorted.length };
});

let number = 0;
let openCalls = 0;

let submitted = 0;

/** Submits as many; resolves when all is answered. */
export async function submit(job: NewJob, count: number): Promise<void> {
  const calls: Promise<void>[] = [];
  const most = jobsACall(job, frameBytesMax());
  for (let rest = count; rest > 0; rest -= most) {
    calls.push(submitCall(job, Math.min(rest, most), steadyRate.peek() === undefined));
  }
  await Promise.all(calls);
}

/** As many of these jobs as go into one request that the broker takes; at least one. */
export function jobsACall(job: NewJob, frameBytesMax: number): number {
  const bytes = encodeMessage({ ...job, jobId: makeJobId() }).length + MARGIN_BYTES;
  const fitting = Math.floor((Math.min(CALL_BYTES, frameBytesMax) - MARGIN_BYTES) / bytes);
  return Math.min(Math.max(fitting, 1), JOBS_A_CALL);
}

function frameBytesMax(): number {
  const state = session.state.peek();
  return (state.kind === "leading" && state.hello.limits.frameBytesMax) || CALL_BYTES;
}

/** The job with its number in place of `{n}` in its unique key: so each of a burst has its own. */
export function numbered(job: NewJob, number: number): NewJob {
  if (job.uniqueKey === undefined) return job;
  return { ...job, uniqueKey: job.uniqueKey.replaceAll("{n}", String(number)) };
}

async function submitCall(job: NewJob, count: number, tellsCommit: boolean): Promise<void> {
  const jobIds = Array.from({ length: count }, () => makeJobId());
  const row: Submission = { number: ++number, at: Date.now(), jobIds, state: "committing" };
  submissions.value = [row, ...submissions.peek()].slice(0, ROWS_KEPT);
  const start = performance.now();
  openCalls += 1;
  try {
    const jobs = jobIds.map((jobId) => ({ ...numbered(job, ++submitted), jobId }));
    const result = await session.call<Submitted>("submitJobs", { jobs }, { isMutation: true });
    const latencyMs = performance.now() - start;
    latencies.value = [...latencies.peek(), latencyMs].slice(-LATENCIES_KEPT);
    const duplicates = result.duplicates.length;
    submittedCount.value += count - duplicates;
    const durable: Submission = { ...row, state: "durable", latencyMs, duplicates };
    note(durable);
    if (tellsCommit) void tellCommit(durable);
  } catch (error) {
    note({ ...row, state: "failed", problem: explain(error) });
    failedCount.value += count;
  } finally {
    openCalls -= 1;
  }
}

interface Submitted {
  jobIds: string[];
  duplicates: number[];
}

/**
 * The counts of after the answer name the commit that holds it, or a later one.
 *
 * Where they cannot be had the row names none: it is durable all the same.
 */
async function tellCommit(row: Submission): Promise<void> {
  try {
    const { commitId } = await ask<Stats>("getStats");
    note({ ...row, commitId });
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
  }
}

function note(row: Submission): void {
  submissions.value = submissions.peek().map((one) => (one.number === row.number ? row : one));
}

/** Whole jobs that a steady producer owes, by the time that has gone. */
export class Pace {
  readonly #rate: number;
  #owed = 0;
  #lastMs: number;

  constructor(rate: number, nowMs: number) {
    this.#rate = rate;
    this.#lastMs = nowMs;
  }

  /** How many to submit now. What is less than a job stays owed, so the rate is met on average. */
  take(nowMs: number): number {
    // After a sleep of the machine it catches up, but not on minutes.
    this.#owed += (this.#rate * Math.min(nowMs - this.#lastMs, CATCH_UP_MS)) / 1_000;
    this.#lastMs = nowMs;
    const count = Math.floor(this.#owed);
    this.#owed -= count;
    return count;
  }
}

let endSteady = () => {};

/** Submits at a rate until `stopSteady`; the job is asked for each time, so it may change. */
export function startSteady(rate: number, makeJob: () => NewJob | undefined): void {
  stopSteady();
  steadyRate.value = rate;
  const pace = new Pace(rate, performance.now());
  endSteady = every(STEADY_TICK_MS, () => {
    const count = pace.take(performance.now());
    isHeldUp.value = openCalls >= OPEN_CALLS_MAX;
    // What falls due while the broker is behind, or the form is wrong, is left out.
    const job = isHeldUp.peek() ? undefined : makeJob();
    if (count > 0 && job !== undefined) void submit(job, count);
  });
}

export function stopSteady(): void {
  endSteady();
  steadyRate.value = undefined;
  isHeldUp.value = false;
}
