/** The groups as they are shown: known ones keep their place, new ones come behind them. */

import type { DeadGroup, JobFilter } from "../../connection/results.ts";

/** One text for each group. */
export function keyOf({ type, errorType, errorMessage }: DeadGroup): string {
  return JSON.stringify([type, errorType, errorMessage]);
}

/** The filter that finds the jobs of a group. */
export function filterOf({ type, errorType, errorMessage }: DeadGroup): JobFilter {
  return { type, errorType, errorMessage };
}

/**
 * What is shown, with the counts that the broker tells now.
 *
 * A group that has emptied stays, with 0 jobs, so that the rows below it keep their place.
 */
export function mergeGroups(shown: readonly DeadGroup[], fresh: readonly DeadGroup[]): DeadGroup[] {
  const byKey = new Map(fresh.map((group) => [keyOf(group), group]));
  const kept = shown.map((group) => byKey.get(keyOf(group)) ?? { ...group, count: 0 });
  const known = new Set(shown.map(keyOf));
  return [...kept, ...fresh.filter((group) => !known.has(keyOf(group)))];
}

export function countJobs(groups: readonly DeadGroup[]): number {
  return groups.reduce((sum, group) => sum + group.count, 0);
}
