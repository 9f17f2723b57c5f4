import { expect, test } from "vitest";
import type { Commit } from "../../../src/connection/results.ts";
import { countNewer } from "../../../src/pages/state/newer.ts";

function commit(commitId: string, mutations = 1, outcome: Commit["outcome"] = "landed"): Commit {
  return { commitId, at: 0, mutations, bytes: 0, milliseconds: 0, outcome };
}

test("commits that changed the queue are counted, heartbeats are not", () => {
  const commits = [commit("7-1-a"), commit("7-2-a"), commit("7-3-a", 0), commit("7-4-a", 9)];
  expect(countNewer(commits, "7-4-a", "7-4-a")).toBe(0);
  expect(countNewer(commits, "7-2-a", "7-4-a")).toBe(1);
  expect(countNewer(commits, "7-2-a", "7-3-a")).toBe(1);
  expect(countNewer(commits.slice(0, 3), "7-2-a", "7-3-a")).toBe(0);
});

test("attempts that did not land are none", () => {
  const commits = [commit("7-1-a"), commit("7-2-a", 5, "conflict"), commit("7-2-a", 5, "unknown")];
  expect(countNewer([...commits, commit("7-3-a", 0)], "7-1-a", "7-3-a")).toBe(0);
});

test("where not all are known there are some", () => {
  expect(countNewer([], "7-1-a", "7-2-a")).toBeUndefined();
  expect(countNewer([commit("7-9-a", 0)], "7-1-a", "7-9-a")).toBeUndefined();
  expect(countNewer([commit("7-2-a", 0)], "7-1-a", "7-2-a")).toBe(0);
  // A later term counts its writes on its own.
  expect(countNewer([commit("7-8-a"), commit("8-1-b")], "7-8-a", "8-1-b")).toBe(1);
  expect(countNewer([commit("8-2-b")], "7-9-a", "8-2-b")).toBeUndefined();
});
