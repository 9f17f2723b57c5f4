/** How far a document lies behind the queue. The broker's own heartbeats change nothing in it. */

import type { Commit } from "../../connection/results.ts";

/**
 * How many commits since then have changed the queue; undefined: some, but they were not all seen.
 *
 * @param commits the newest that are known, in order
 * @param shown the commit id of the document
 * @param now the commit id of the queue
 */
export function countNewer(
  commits: readonly Commit[],
  shown: string,
  now: string,
): number | undefined {
  if (shown === now) return 0;
  const landed = commits.filter(({ outcome }) => outcome === "landed");
  const since = landed.filter(({ commitId }) => isAfter(commitId, shown));
  // All that came since are known where what came before them is, or where they follow it directly.
  const isComplete =
    since.length < landed.length || (since[0] !== undefined && follows(since[0].commitId, shown));
  if (!isComplete || since.length === 0) return undefined;
  return since.filter(({ mutations }) => mutations > 0).length;
}

/** By term, then by the write of its broker. */
function isAfter(one: string, other: string): boolean {
  const [epoch, sequence] = partsOf(one);
  const [otherEpoch, otherSequence] = partsOf(other);
  return epoch > otherEpoch || (epoch === otherEpoch && sequence > otherSequence);
}

function follows(one: string, other: string): boolean {
  const [epoch, sequence] = partsOf(one);
  const [otherEpoch, otherSequence] = partsOf(other);
  return epoch === otherEpoch && sequence === otherSequence + 1;
}

function partsOf(commitId: string): [number, number] {
  const [epoch = 0, sequence = 0] = commitId.split("-").map(Number);
  return [epoch, sequence];
}
