import "../../page.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeFrames } from "../../../src/connection/session.ts";
import { session } from "../../../src/live/queue.ts";
import {
  failedCount,
  jobsACall,
  numbered,
  Pace,
  percentiles,
  startSteady,
  stopSteady,
  submissions,
  submit,
  submittedCount,
} from "../../../src/pages/producer/producing.ts";
import { TestSocket } from "../../connection/test_socket.ts";

let socket: TestSocket;

/** What was sent since the greeting, one request after the other. */
function requests(): any[] {
  return socket.sent.slice(3).flat();
}

beforeEach(() => {
  vi.useFakeTimers();
  session.start();
  socket = TestSocket.opened.at(-1)!;
  socket.lead();
});

afterEach(() => {
  stopSteady();
  session.stop();
  vi.useRealTimers();
});

test("a submit is committing until its answer, then durable with its latency and commit", async () => {
  const done = submit({ payload: 1 }, 2);
  await vi.advanceTimersByTimeAsync(0);
  expect(submissions.value[0]).toMatchObject({ state: "committing" });
  const [request] = requests();
  expect(request).toMatchObject({ method: "submitJobs", sequence: 1 });
  await vi.advanceTimersByTimeAsync(40);
  const before = submittedCount.value;
  socket.say({ id: request.id, ok: true, result: { jobIds: [], duplicates: [1] } });
  await done;
  expect(submittedCount.value - before).toBe(1);
  expect(submissions.value[0]).toMatchObject({ state: "durable", latencyMs: 40, duplicates: 1 });
  expect(percentiles.value.p50).toBe(40);
  await vi.advanceTimersByTimeAsync(0);
  const asked = requests().at(-1);
  expect(asked.method).toBe("getStats");
  socket.say({ id: asked.id, ok: true, result: { commitId: "7-9-a" } });
  await vi.advanceTimersByTimeAsync(0);
  expect(submissions.value[0]).toMatchObject({ state: "durable", commitId: "7-9-a" });
});

test("a refusal is shown with its advice", async () => {
  const done = submit({ payload: 1 }, 3);
  await vi.advanceTimersByTimeAsync(0);
  const [request] = requests();
  const error = { _tag: "QueueFull", message: "the queue is full", advice: "retry later" };
  socket.say({ id: request.id, ok: false, error });
  await done;
  expect(submissions.value[0]).toMatchObject({
    state: "failed",
    problem: "the queue is full (retry later)",
  });
  expect(failedCount.value).toBe(3);
});

test("a burst of large payloads is cut to requests that fit a frame", () => {
  const job = { payload: "x".repeat(100_000) };
  expect(jobsACall({ payload: 1 }, 8_388_608)).toBe(1_000);
  expect(jobsACall(job, 8_388_608)).toBe(4);
  expect(jobsACall(job, 250_000)).toBe(2);
  // One that is too large alone goes out alone: the broker says so.
  expect(jobsACall(job, 50_000)).toBe(1);
  const jobs = Array.from({ length: 2 }, (_, index) => ({ ...job, jobId: `id-${index}` }));
  const request = (id: number) => ({ id, method: "submitJobs", params: { jobs } });
  const frames = makeFrames([request(1), request(2), request(3)], 250_000);
  expect(frames.map((frame) => frame.length <= 250_000)).toEqual([true, true, true]);
});

test("a unique key is the same for all of a burst, unless it asks for a number", () => {
  expect(numbered({ payload: 1 }, 3)).toEqual({ payload: 1 });
  expect(numbered({ payload: 1, uniqueKey: "one" }, 3).uniqueKey).toBe("one");
  expect(numbered({ payload: 1, uniqueKey: "order-{n}" }, 3).uniqueKey).toBe("order-3");
});

test("a pace is met on average, whatever the ticks are", () => {
  for (const [rate, tickMs] of [
    [7, 100],
    [0.5, 130],
    [2_000, 1_000],
    [333, 97],
  ] as const) {
    const pace = new Pace(rate, 0);
    let count = 0;
    for (let nowMs = tickMs; nowMs <= 60_000; nowMs += tickMs) count += pace.take(nowMs);
    expect(Math.abs(count - 60 * rate)).toBeLessThanOrEqual(1 + (rate * tickMs) / 1_000);
  }
});

test("after a sleep a pace catches up on two seconds, no more", () => {
  expect(new Pace(10, 0).take(600_000)).toBe(20);
});

test("a steady producer submits at its rate until it is stopped", async () => {
  startSteady(20, () => ({ payload: 1 }));
  await vi.advanceTimersByTimeAsync(1_000);
  const count = () =>
    requests().reduce((sum, { params }) => sum + (params.jobs?.length ?? 0), 0) as number;
  expect(count()).toBe(20);
  stopSteady();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(count()).toBe(20);
});
