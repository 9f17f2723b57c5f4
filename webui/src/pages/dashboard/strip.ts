/** Where each commit stands in the strip, and how high: decided here, painted elsewhere. */

import type { Commit } from "../../connection/results.ts";

export const BAR_WIDTH = 4;
export const BAR_STEP = 5;
const BAR_HEIGHT_MIN = 2;
/** This long without a write is a gap, a step for each further second, to a bound. */
const GAP_MS = 1_000;
const GAP_STEPS_MAX = 12;

export interface Bar {
  commit: Commit;
  /** From the left, in CSS pixels. */
  x: number;
  height: number;
}

export interface Strip {
  /** Oldest first, the newest at the right edge. */
  bars: Bar[];
  /** The mutations that a bar of full height stands for. */
  full: number;
}

/** The bars that fit into the width. */
export function layBars(commits: readonly Commit[], width: number, height: number): Strip {
  const shown: { commit: Commit; x: number }[] = [];
  let x = width - BAR_WIDTH;
  for (let index = commits.length - 1; index >= 0 && x >= 0; index--) {
    const commit = commits[index]!;
    shown.push({ commit, x });
    const before = commits[index - 1];
    x -= BAR_STEP;
    if (before !== undefined) x -= BAR_STEP * gapSteps(commit.at - before.at);
  }
  const full = roundUp(Math.max(0, ...shown.map(({ commit }) => commit.mutations)));
  const bars = shown.map(({ commit, x }) => {
    return { commit, x, height: barHeight(commit.mutations, full, height) };
  });
  return { bars: bars.reverse(), full };
}

/** Whole numbers of steps that stand for the time without a write. */
export function gapSteps(pauseMs: number): number {
  return Math.min(Math.max(Math.floor(pauseMs / GAP_MS), 0), GAP_STEPS_MAX);
}

/** 10, 30, 100, 300, 1,000 and so on: few steps, so that the scale seldom changes. */
export function roundUp(mutations: number): number {
  let full = 10;
  let factor = 3;
  while (full < mutations) {
    full *= factor;
    factor = 10 / factor;
  }
  return Math.round(full);
}

/** On a logarithmic scale: a heartbeat is a line, `full` mutations are full height. */
export function barHeight(mutations: number, full: number, height: number): number {
  const share = Math.log(1 + mutations) / Math.log(1 + full);
  return Math.max(BAR_HEIGHT_MIN, Math.round(Math.min(share, 1) * height));
}

/** The bar under the pointer, or the next one within a few pixels. */
export function findBar(bars: readonly Bar[], x: number): Bar | undefined {
  const distance = (bar: Bar) => Math.abs(bar.x + BAR_WIDTH / 2 - x);
  const nearest = bars.reduce<Bar | undefined>(
    (best, bar) => (best === undefined || distance(bar) < distance(best) ? bar : best),
    undefined,
  );
  return nearest !== undefined && distance(nearest) <= 2 * BAR_STEP ? nearest : undefined;
}
