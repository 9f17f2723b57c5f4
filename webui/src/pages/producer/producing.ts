/**
 * Submitting from this tab: one job, a burst, or steadily at a rate; goes on while you look at
 * other pages of the tab. Every job has its id before it is sent, so a repeat adds nothing.
 */

import { computed, signal } from "@preact/signals";
import { QueueError } from "../../connection/errors.ts";
import { makeJobId } from "../../connection/ids.ts";
import type { Json, Stats } from "../../connection/results.ts";
import { ask, session } from "../../live/queue.ts";

const ROWS_KEPT = 50;
const LATENCIES_KEPT = 2_000;
/** Of one request; a burst is several of them in one frame. */
const JOBS_A_CALL = 1_000;
const STEADY_TICK_MS = 100;
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

/** Submits as many; resolves when all is answered. */
export async function submit(job: NewJob, count: number): Promise<void> {
  const calls: Promise<void>[] = [];
  for (let rest = count; rest > 0; rest -= JOBS_A_CALL) {
    calls.push(submitCall(job, Math.min(rest, JOBS_A_CALL), steadyRate.peek() === undefined));
  }
  await Promise.all(calls);
}

async function submitCall(job: NewJob, count: number, tellsCommit: boolean): Promise<void> {
  const jobIds = Array.from({ length: count }, () => makeJobId());
  const row: Submission = { number: ++number, at: Date.now(), jobIds, state: "committing" };
  submissions.value = [row, ...submissions.peek()].slice(0, ROWS_KEPT);
  const start = performance.now();
  openCalls += 1;
  try {
    const jobs = jobIds.map((jobId) => ({ ...job, jobId }));
    const result = await session.call<Submitted>("submitJobs", { jobs }, { isMutation: true });
    const latencyMs = performance.now() - start;
    latencies.value = [...latencies.peek(), latencyMs].slice(-LATENCIES_KEPT);
    const duplicates = result.duplicates.length;
    submittedCount.value += count - duplicates;
    const durable: Submission = { ...row, state: "durable", latencyMs, duplicates };
    note(durable);
    if (tellsCommit) void tellCommit(durable);
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    failedCount.value += count;
    note({ ...row, state: "failed", problem: `${error.message} (${error.advice})` });
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

let timer: ReturnType<typeof setInterval> | undefined;

/** Submits at a rate until `stopSteady`; the job is asked for each time, so it may change. */
export function startSteady(rate: number, makeJob: () => NewJob | undefined): void {
  stopSteady();
  steadyRate.value = rate;
  let due = 0;
  let lastMs = performance.now();
  timer = setInterval(() => {
    const nowMs = performance.now();
    // A tab in the background is woken once a second: it catches up, but not on minutes.
    due += (rate * Math.min(nowMs - lastMs, 2_000)) / 1_000;
    lastMs = nowMs;
    isHeldUp.value = openCalls >= OPEN_CALLS_MAX;
    const job = makeJob();
    if (isHeldUp.peek() || job === undefined) {
      due = 0;
      return;
    }
    const count = Math.floor(due);
    due -= count;
    if (count > 0) void submit(job, count);
  }, STEADY_TICK_MS);
}

export function stopSteady(): void {
  clearInterval(timer);
  steadyRate.value = undefined;
  isHeldUp.value = false;
}
