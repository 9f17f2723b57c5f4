import "../../page.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TestSocket } from "../../connection/test_socket.ts";

/** Each test has a tab of its own. */
let tab: typeof import("../../../src/pages/worker/tab_worker.ts");
let session: typeof import("../../../src/live/queue.ts")["session"];
let socket: TestSocket;

/** What was asked since the greeting, of one method. */
function asked(method: string): any[] {
  return socket.sent
    .slice(3)
    .flat()
    .filter((request) => request.method === method);
}

async function answer(request: any, result: unknown): Promise<void> {
  socket.say({ id: request.id, ok: true, result });
  await vi.advanceTimersByTimeAsync(0);
}

function job(jobId: string): object {
  return {
    jobId,
    type: "t",
    payload: 1,
    attempt: 1,
    maxAttempts: 3,
    createdAt: 0,
    leaseMs: 30_000,
  };
}

/** Starts, and is handed these jobs. */
async function hold(...jobIds: string[]): Promise<void> {
  tab.start();
  await vi.advanceTimersByTimeAsync(0);
  await answer(asked("claimJobs").at(-1), { jobs: jobIds.map(job) });
}

beforeEach(async () => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  vi.resetModules();
  tab = await import("../../../src/pages/worker/tab_worker.ts");
  ({ session } = await import("../../../src/live/queue.ts"));
  tab.wishes.types.value = "";
  tab.wishes.concurrency.value = 4;
  tab.wishes.workMs.value = 5_000;
  tab.wishes.failurePercent.value = 0;
  session.start();
  socket = TestSocket.opened.at(-1)!;
  socket.lead();
});

afterEach(() => {
  tab.stop();
  tab.held.value = [];
  session.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("a tab asks for as many jobs as it has room for, of the types it was given", async () => {
  tab.wishes.types.value = " email:send, ,invoice:render";
  await hold("a");
  expect(asked("claimJobs")[0].params).toMatchObject({
    workerId: tab.workerId,
    limit: 4,
    types: ["email:send", "invoice:render"],
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(asked("claimJobs").at(-1).params.limit).toBe(3);
});

test("a job is completed when its work time is over", async () => {
  await hold("a");
  await vi.advanceTimersByTimeAsync(5_000);
  const [request] = asked("completeJob");
  expect(request.params).toEqual({
    jobId: "a",
    workerId: tab.workerId,
    attempt: 1,
    result: { by: tab.workerId },
  });
  await answer(request, {});
  expect(tab.totals.value.completed).toBe(1);
  expect(tab.held.value).toEqual([]);
});

test("a job that shall fail is reported with an error", async () => {
  tab.wishes.failurePercent.value = 100;
  await hold("a");
  await vi.advanceTimersByTimeAsync(5_000);
  await answer(asked("failJob")[0], {});
  expect(tab.totals.value.failed).toBe(1);
});

test("heartbeats go out each second and move the end of the lease", async () => {
  await hold("a", "b");
  const end = tab.held.value[0]!.leaseEndsMs;
  await vi.advanceTimersByTimeAsync(1_000);
  const [beat] = asked("heartbeatJobs");
  expect(beat.params.jobs.map((one: any) => one.jobId)).toEqual(["a", "b"]);
  await answer(beat, { held: ["a"], lost: ["b"], cancelRequested: [] });
  expect(tab.held.value.map((one) => one.job.jobId)).toEqual(["a"]);
  expect(tab.held.value[0]!.leaseEndsMs - end).toBe(1_000);
  expect(tab.totals.value.lost).toBe(1);
});

test("a job whose cancellation was asked for is given back", async () => {
  await hold("a");
  await vi.advanceTimersByTimeAsync(1_000);
  await answer(asked("heartbeatJobs")[0], { held: ["a"], lost: [], cancelRequested: ["a"] });
  await answer(asked("snoozeJob")[0], {});
  expect(tab.totals.value.givenBack).toBe(1);
});

test("what comes after a stop is given back, and what is held is finished", async () => {
  await hold("a");
  await vi.advanceTimersByTimeAsync(0);
  const waiting = asked("claimJobs").at(-1);
  tab.stop();
  await answer(waiting, { jobs: [job("late")] });
  expect(asked("snoozeJob")[0].params).toMatchObject({ jobId: "late", attempt: 1 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked("completeJob")[0].params.jobId).toBe("a");
});

test("closing the tab says so of each held job, twice", async () => {
  const fetched = vi.fn(() => Promise.resolve());
  vi.stubGlobal("fetch", fetched);
  await hold("a", "b");
  dispatchEvent(new Event("pagehide"));
  expect(asked("snoozeJob").map(({ params }) => params.jobId)).toEqual(["a", "b"]);
  expect(fetched).toHaveBeenCalledOnce();
  expect(tab.held.value).toEqual([]);
});

test("a refused claim is told, and tried again a second later", async () => {
  tab.start();
  await vi.advanceTimersByTimeAsync(0);
  const error = { _tag: "Forbidden", message: "no scope", advice: "fix credentials" };
  socket.say({ id: asked("claimJobs")[0].id, ok: false, error });
  await vi.advanceTimersByTimeAsync(0);
  expect(tab.problem.value).toBe("no scope (fix credentials)");
  expect(asked("claimJobs")).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked("claimJobs")).toHaveLength(2);
});
