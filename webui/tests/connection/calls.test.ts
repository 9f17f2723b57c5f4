import { beforeEach, describe, expect, test } from "vitest";
import { Calls, type Reply, type Request } from "../../src/connection/calls.ts";
import type { QueueError, WireError } from "../../src/connection/errors.ts";

let calls: Calls;
let settled: (unknown | QueueError)[];

beforeEach(() => {
  calls = new Calls(() => 0.5);
  settled = [];
});

function add(method: string, isMutation = true, deadlineMs = 60_000): void {
  const note = (outcome: unknown): void => void settled.push(outcome);
  calls.add({ method, params: {}, isMutation, deadlineMs, resolve: note, reject: note });
}

function sent(): Request[] {
  return calls.takeFrame();
}

function ok(id: number, result: unknown = {}): Reply {
  return { id, ok: true, result };
}

function refused(id: number, tag: string, more: Partial<WireError> = {}): Reply {
  return { id, ok: false, error: { _tag: tag, message: tag, advice: "look again", ...more } };
}

test("calls of one turn share a frame, and only mutations have a sequence", () => {
  add("submitJob");
  add("getStats", false);
  add("submitJob");
  expect(sent().map((one) => [one.method, one.sequence, one.firstIncomplete])).toEqual([
    ["submitJob", 1, 1],
    ["getStats", undefined, undefined],
    ["submitJob", 2, 1],
  ]);
  expect(sent()).toEqual([]);
});

test("the floor is the lowest sequence that is still waited for", () => {
  add("a");
  add("b");
  sent();
  calls.answered(ok(1), 0);
  add("c");
  expect(sent()[0]).toMatchObject({ sequence: 3, firstIncomplete: 2 });
  calls.answered(ok(2), 0);
  calls.answered(ok(3), 0);
  expect(calls.floor).toBe(4);
});

describe("repeats", () => {
  test("what a lost connection left open goes out again under its number", () => {
    add("submitJob");
    const [first] = sent();
    calls.connectionLost("gone");
    expect(sent()).toEqual([first]);
    calls.answered(ok(1, { jobId: "j" }), 0);
    expect(settled).toEqual([{ jobId: "j" }]);
  });

  test("a refusal of a repeat does not tell what became of the first attempt", () => {
    add("submitJob");
    sent();
    calls.connectionLost("gone");
    sent();
    calls.answered(refused(1, "QueueFull"), 0);
    expect(settled).toMatchObject([{ tag: "OutcomeUnknown", advice: "look it up" }]);
  });

  test("a refusal of a repeated read is just that", () => {
    add("getJob", false);
    sent();
    calls.connectionLost("gone");
    sent();
    calls.answered(refused(1, "JobNotFound"), 0);
    expect(settled).toMatchObject([{ tag: "JobNotFound" }]);
  });

  test("what was never sent is not unanswered", () => {
    add("submitJob");
    calls.connectionLost("gone");
    sent();
    calls.answered(refused(1, "QueueFull"), 0);
    expect(settled).toMatchObject([{ tag: "QueueFull" }]);
  });

  test("NotLeader names the leader and settles nothing", () => {
    add("submitJob");
    sent();
    const verdict = calls.answered(refused(1, "NotLeader", { epoch: 7, brokerAddress: "b:1" }), 0);
    expect(verdict).toEqual({ kind: "refuses", epoch: 7, address: "b:1" });
    expect(settled).toEqual([]);
    calls.connectionLost("moving");
    expect(sent()).toHaveLength(1);
    calls.answered(refused(1, "QueueFull"), 0);
    expect(settled).toMatchObject([{ tag: "QueueFull" }]);
  });

  test("Unavailable is tried again after the time that it names", () => {
    add("submitJob");
    sent();
    calls.answered(refused(1, "Unavailable", { retryAfterMs: 1_000 }), 0);
    expect(calls.wake(900)).toBe(false);
    expect(calls.wake(1_000)).toBe(true);
    expect(sent()).toHaveLength(1);
  });

  test("an unknown outcome is asked for again, until ok", () => {
    add("submitJob");
    sent();
    calls.answered(refused(1, "OutcomeUnknown"), 0);
    expect(calls.wake(5_000)).toBe(true);
    sent();
    calls.answered(refused(1, "QueueFull"), 5_000);
    expect(settled).toMatchObject([{ tag: "OutcomeUnknown" }]);
  });
});

describe("giving up", () => {
  test("a mutation under way may have been applied", () => {
    add("submitJob", true, 100);
    sent();
    calls.expire(99);
    expect(settled).toEqual([]);
    calls.expire(100);
    expect(settled).toMatchObject([{ tag: "OutcomeUnknown" }]);
    expect((settled[0] as Error).message).toContain("no answer in time");
    expect(calls.openCount).toBe(0);
  });

  test("one that never left the page was not", () => {
    add("submitJob", true, 100);
    calls.expire(100);
    expect(settled).toMatchObject([{ tag: "Unavailable", message: "no broker was reached" }]);
  });

  test("a late answer is nobody's", () => {
    add("submitJob", true, 100);
    sent();
    calls.expire(100);
    expect(calls.answered(ok(1), 200)).toBeUndefined();
    expect(settled).toHaveLength(1);
  });
});
