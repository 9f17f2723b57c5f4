import { expect, test } from "vitest";
import { BUCKET_NAMES, type Commit, type History } from "../../src/connection/results.ts";
import { COMMITS_KEPT, emptyPast, extendPast, SECONDS_KEPT } from "../../src/live/past.ts";

function history(from: number, submitted: number[], more: Partial<History> = {}): History {
  const empty = submitted.map(() => null);
  const buckets = Object.fromEntries(BUCKET_NAMES.map((name) => [name, [...empty]]));
  const filled = { ...buckets, submitted } as unknown as History["buckets"];
  return { now: 0, bucketMs: 1_000, from, buckets: filled, commits: [], takeovers: [], ...more };
}

function commit(sequence: number, more: Partial<Commit> = {}): Commit {
  const commitId = `7-${sequence}-a`;
  return {
    commitId,
    at: sequence,
    mutations: 1,
    bytes: 9,
    milliseconds: 5,
    outcome: "landed",
    ...more,
  };
}

test("new seconds follow the known ones", () => {
  const past = extendPast(extendPast(emptyPast(), history(1_000, [1, 2])), history(3_000, [3]));
  expect(past.times).toEqual([1_000, 2_000, 3_000]);
  expect(past.buckets.submitted).toEqual([1, 2, 3]);
  expect(past.buckets.waitMsP99).toEqual([null, null, null]);
});

test("what a reconnect tells again takes the place of what is known", () => {
  const known = extendPast(emptyPast(), history(1_000, [1, 2, 3]));
  const past = extendPast(known, history(2_000, [20, 30, 40]));
  expect(past.times).toEqual([1_000, 2_000, 3_000, 4_000]);
  expect(past.buckets.submitted).toEqual([1, 20, 30, 40]);
});

test("an event without anything new changes nothing", () => {
  const known = extendPast(emptyPast(), history(1_000, [1]));
  expect(extendPast(known, history(2_000, []))).toEqual(known);
});

test("five minutes are kept", () => {
  const seconds = Array.from({ length: SECONDS_KEPT }, (_, index) => index);
  const past = extendPast(extendPast(emptyPast(), history(0, seconds)), history(300_000, [7, 8]));
  expect(past.times).toHaveLength(SECONDS_KEPT);
  expect([past.times[0], past.times.at(-1)]).toEqual([2_000, 301_000]);
  expect(past.buckets.submitted.at(-1)).toBe(8);
});

test("commits are kept once each, an unknown one beside its landing", () => {
  const first = history(0, [], { commits: [commit(1), commit(2, { outcome: "unknown" })] });
  const again = history(0, [], { commits: [commit(1), commit(2, { at: 9 })] });
  const past = extendPast(extendPast(emptyPast(), first), again);
  expect(past.commits.map((one) => [one.at, one.outcome])).toEqual([
    [1, "landed"],
    [2, "unknown"],
    [9, "landed"],
  ]);
  const many = Array.from({ length: 500 }, (_, index) => commit(index));
  expect(extendPast(past, history(0, [], { commits: many })).commits).toHaveLength(COMMITS_KEPT);
});

test("takeovers are told apart by their epoch", () => {
  const one = { epoch: 6, brokerName: "a" };
  const two = { epoch: 7, brokerName: "b", brokerAddress: "b:1", at: 5 };
  const known = extendPast(emptyPast(), history(0, [], { takeovers: [two, one] }));
  const past = extendPast(known, history(0, [], { takeovers: [{ epoch: 7, brokerName: "b" }] }));
  expect(past.takeovers).toEqual([one, two]);
});
