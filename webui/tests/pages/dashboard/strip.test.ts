import { expect, test } from "vitest";
import type { Commit } from "../../../src/connection/results.ts";
import {
  BAR_STEP,
  BAR_WIDTH,
  barHeight,
  findBar,
  gapSteps,
  layBars,
  roundUp,
} from "../../../src/pages/dashboard/strip.ts";

function commit(sequence: number, at: number, mutations = 1): Commit {
  const commitId = `7-${sequence}-9f3a`;
  return { commitId, at, mutations, bytes: 100, milliseconds: 5, outcome: "landed" };
}

test("the newest bar stands at the right edge, and what does not fit is left out", () => {
  const commits = [commit(1, 0), commit(2, 10), commit(3, 20)];
  const { bars } = layBars(commits, 2 * BAR_STEP, 64);
  expect(bars.map((bar) => bar.commit.commitId)).toEqual(["7-2-9f3a", "7-3-9f3a"]);
  expect(bars.at(-1)?.x).toBe(2 * BAR_STEP - BAR_WIDTH);
  expect(layBars([], 100, 64)).toEqual({ bars: [], full: 10 });
});

test("seconds without a write are a gap, to a bound", () => {
  expect([-5, 0, 999, 1_000, 3_999, 86_400_000].map(gapSteps)).toEqual([0, 0, 0, 1, 3, 12]);
  const { bars } = layBars([commit(1, 0), commit(2, 3_000)], 100, 64);
  expect(bars[1]!.x - bars[0]!.x).toBe(4 * BAR_STEP);
});

test("a bar of full height stands for a round number at or above the largest batch shown", () => {
  expect([0, 10, 11, 30, 31, 100, 999, 4_000].map(roundUp)).toEqual([
    10, 10, 30, 30, 100, 100, 1_000, 10_000,
  ]);
  // The large batch lies outside what fits: it does not flatten the others.
  const commits = [commit(1, 0, 5_000), commit(2, 10, 9)];
  expect(layBars(commits, BAR_WIDTH, 64).full).toBe(10);
  expect(layBars(commits, 100, 64).full).toBe(10_000);
});

test("a heartbeat is a line, the full number of mutations the whole height", () => {
  expect(barHeight(0, 10, 64)).toBe(2);
  expect(barHeight(10, 10, 64)).toBe(64);
  expect(barHeight(1, 10, 64)).toBeLessThan(barHeight(2, 10, 64));
});

test("a pointer finds the bar under it, or the nearest within two steps", () => {
  const { bars } = layBars([commit(1, 0), commit(2, 10)], 100, 64);
  expect(findBar(bars, 98)?.commit.commitId).toBe("7-2-9f3a");
  expect(findBar(bars, 91)?.commit.commitId).toBe("7-1-9f3a");
  expect(findBar(bars, 40)).toBeUndefined();
  expect(findBar([], 40)).toBeUndefined();
});
