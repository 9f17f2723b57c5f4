/**
 * The worker that this tab is: claims by long poll, heartbeats, simulated work, reports.
 *
 * It goes on while you look at other pages of the tab. Closing the tab gives its jobs back.
 */

import { signal } from "@preact/signals";
import { explain } from "../../connection/errors.ts";
import { makeRandomHex } from "../../connection/ids.ts";
import type { ClaimedJob } from "../../connection/results.ts";
import { after, every } from "../../connection/timers.ts";
import { asNumber, asText, keep } from "../../live/kept.ts";
import { session } from "../../live/queue.ts";

const WAIT_MS = 20_000;
const GIVE_BACK_MS = 1_000;
/** Of all held jobs in one request, which costs no write: often enough for the shortest lease. */
const HEARTBEAT_MS = 1_000;

/** A job that this tab holds. Times are of its steady clock. */
export interface Held {
  job: ClaimedJob;
  startedMs: number;
  endsMs: number;
  leaseEndsMs: number;
}

export const workerId = `tab-${makeRandomHex(4)}`;
export const isWorking = signal(false);
export const held = signal<readonly Held[]>([]);
export const totals = signal({ claimed: 0, completed: 0, failed: 0, lost: 0, givenBack: 0 });
export const problem = signal("");
/** Of the sliders. */
export const BOUNDS = {
  concurrency: { min: 1, max: 50 },
  workMs: { min: 0, max: 10_000 },
  failurePercent: { min: 0, max: 100 },
} as const;
/** `types` are separated by commas; empty: all. Kept for the next time. */
export const wishes = {
  types: signal(""),
  concurrency: signal(4),
  workMs: signal(1_500),
  failurePercent: signal(5),
};

keep("worker.types", wishes.types, asText);
keep("worker.concurrency", wishes.concurrency, asNumber(BOUNDS.concurrency));
keep("worker.workMs", wishes.workMs, asNumber(BOUNDS.workMs));
keep("worker.failurePercent", wishes.failurePercent, asNumber(BOUNDS.failurePercent));

let isClaiming = false;
/** Jobs whose report is on its way: its answer decides what became of them, no heartbeat does. */
const reporting = new Set<string>();
let endHeartbeats: (() => void) | undefined;

/** Claims and works until `stop`. */
export function start(): void {
  isWorking.value = true;
  endHeartbeats ??= every(HEARTBEAT_MS, () => void beat());
  void claim();
}

/** Claims no more; what is held is finished. */
export function stop(): void {
  isWorking.value = false;
}

async function claim(): Promise<void> {
  const room = wishes.concurrency.peek() - held.peek().length;
  if (isClaiming || !isWorking.peek() || room <= 0) return;
  isClaiming = true;
  const names = wishes.types.peek().split(",");
  const types = names.map((name) => name.trim()).filter((name) => name !== "");
  const wanted = { workerId, limit: room, waitMs: WAIT_MS, claimId: makeRandomHex(12) };
  const params = types.length > 0 ? { ...wanted, types } : wanted;
  try {
    const { jobs } = await session.call<{ jobs: ClaimedJob[] }>("claimJobs", params);
    problem.value = "";
    take(jobs);
  } catch (error) {
    tell(error);
  } finally {
    isClaiming = false;
  }
  after(problem.peek() === "" ? 0 : 1_000, () => void claim());
}

function take(jobs: readonly ClaimedJob[]): void {
  count("claimed", jobs.length);
  if (!isWorking.peek()) {
    // They came after the stop: somebody else shall have them.
    for (const job of jobs) void giveBack(job);
    return;
  }
  const startedMs = performance.now();
  const fresh = jobs.map((job) => {
    const takes = wishes.workMs.peek() * (0.5 + Math.random());
    after(takes, () => void report(job));
    return { job, startedMs, endsMs: startedMs + takes, leaseEndsMs: startedMs + job.leaseMs };
  });
  held.value = [...held.peek(), ...fresh];
}

async function report(job: ClaimedJob): Promise<void> {
  if (!isHeld(job)) return;
  const lease = { jobId: job.jobId, workerId, attempt: job.attempt };
  const fails = Math.random() * 100 < wishes.failurePercent.peek();
  const error = { type: "SimulatedFailure", message: "this tab was asked to fail some jobs" };
  const [method, params] = fails
    ? ["failJob", { ...lease, error }]
    : ["completeJob", { ...lease, result: { by: workerId } }];
  await settle(job, method as string, params as object, fails ? "failed" : "completed");
}

function giveBack(job: ClaimedJob): Promise<void> {
  return settle(job, "snoozeJob", giveBackParams(job), "givenBack");
}

/** The job is claimable again a second later, and the attempt is not spent. */
function giveBackParams(job: ClaimedJob): object {
  return { jobId: job.jobId, workerId, attempt: job.attempt, delayMs: GIVE_BACK_MS };
}

async function settle(
  job: ClaimedJob,
  method: string,
  params: object,
  outcome: keyof typeof totals.value,
): Promise<void> {
  reporting.add(job.jobId);
  try {
    await session.call(method, params, { isMutation: true });
    count(outcome, 1);
  } catch (error) {
    tell(error);
    count("lost", 1);
  } finally {
    reporting.delete(job.jobId);
  }
  release([job.jobId]);
}

interface Heartbeat {
  lost: string[];
  cancelRequested: string[];
}

async function beat(): Promise<void> {
  const jobs = held.peek().map(({ job }) => ({ jobId: job.jobId, attempt: job.attempt }));
  if (jobs.length === 0) {
    if (!isWorking.peek()) {
      endHeartbeats?.();
      endHeartbeats = undefined;
    }
    return;
  }
  const sentMs = performance.now();
  try {
    const told = await session.call<Heartbeat>("heartbeatJobs", { workerId, jobs });
    // A heartbeat and a report cross: what was reported meanwhile is not lost.
    const lost = held
      .peek()
      .map(({ job }) => job.jobId)
      .filter((id) => told.lost.includes(id) && !reporting.has(id));
    const beaten = new Set(jobs.map(({ jobId }) => jobId).filter((id) => !told.lost.includes(id)));
    held.value = held.peek().map((one) => {
      const leaseEndsMs = beaten.has(one.job.jobId) ? sentMs + one.job.leaseMs : one.leaseEndsMs;
      return { ...one, leaseEndsMs };
    });
    count("lost", lost.length);
    release(lost);
    for (const { job } of held.peek()) {
      if (told.cancelRequested.includes(job.jobId)) void giveBack(job);
    }
  } catch (error) {
    tell(error);
  }
}

function release(jobIds: readonly string[]): void {
  held.value = held.peek().filter(({ job }) => !jobIds.includes(job.jobId));
  void claim();
}

function isHeld(job: ClaimedJob): boolean {
  return held.peek().some((one) => one.job.jobId === job.jobId);
}

function count(name: keyof typeof totals.value, more: number): void {
  totals.value = { ...totals.peek(), [name]: totals.peek()[name] + more };
}

function tell(error: unknown): void {
  problem.value = explain(error);
}

/** The socket and a request that outlives the page both say it; the second changes nothing. */
addEventListener("pagehide", () => {
  stop();
  const jobs = held.peek().map(({ job }) => job);
  if (jobs.length === 0) return;
  for (const job of jobs) session.sayLast("snoozeJob", giveBackParams(job));
  const requests = jobs.map((job, id) => ({
    id,
    method: "snoozeJob",
    params: giveBackParams(job),
  }));
  void fetch(`${session.origin.peek()}/v1/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(requests),
    keepalive: true,
  }).catch(() => undefined);
  held.value = [];
});
