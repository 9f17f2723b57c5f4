/** The last minutes as the broker tells them: first everything, then what is new. */

import {
  BUCKET_NAMES,
  type BucketName,
  type Commit,
  type History,
  type Takeover,
} from "../connection/results.ts";

export const SECONDS_KEPT = 300;
export const COMMITS_KEPT = 200;

/** A value for each second; `times` are ms since the epoch, when each second began. */
export interface Past {
  times: number[];
  buckets: Record<BucketName, (number | null)[]>;
  commits: Commit[];
  takeovers: Takeover[];
}

export function emptyPast(): Past {
  const buckets = Object.fromEntries(BUCKET_NAMES.map((name) => [name, []]));
  return { times: [], buckets: buckets as unknown as Past["buckets"], commits: [], takeovers: [] };
}

/** The past with what a `history` event brings; seconds that nobody saw are left out. */
export function extendPast(past: Past, news: History): Past {
  const count = news.buckets.submitted?.length ?? 0;
  const times = Array.from({ length: count }, (_, index) => news.from + index * news.bucketMs);
  // After a reconnect the event repeats what is known; another leader may tell it differently.
  const first = times[0] ?? Infinity;
  const kept = past.times.filter((time) => time < first).length;
  const drop = Math.max(0, kept + count - SECONDS_KEPT);
  const join = <Value>(old: Value[], added: Value[]) =>
    [...old.slice(0, kept), ...added].slice(drop);
  const buckets = Object.fromEntries(
    BUCKET_NAMES.map((name) => [name, join(past.buckets[name], news.buckets[name] ?? [])]),
  );
  return {
    times: join(past.times, times),
    buckets: buckets as unknown as Past["buckets"],
    commits: joinCommits(past.commits, news.commits),
    takeovers: joinTakeovers(past.takeovers, news.takeovers),
  };
}

/** The past with a write that has just landed; `history` tells of it again, within a second. */
export function addCommit(past: Past, commit: Omit<Commit, "outcome">): Past {
  return { ...past, commits: joinCommits(past.commits, [{ ...commit, outcome: "landed" }]) };
}

/** The mean of the last seconds of a bucket, a second; 0 where nothing is known. */
export function recentRate(past: Past, name: BucketName, seconds = 5): number {
  const values = past.buckets[name].slice(-seconds);
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0) / Math.max(values.length, 1);
}

/** Every attempt of a write is one, told apart by its id, its outcome and its time. */
function joinCommits(old: Commit[], added: Commit[]): Commit[] {
  const keyOf = (commit: Commit) => `${commit.commitId} ${commit.outcome} ${commit.at}`;
  const known = new Set(old.map(keyOf));
  const fresh = added.filter((commit) => !known.has(keyOf(commit)));
  return [...old, ...fresh].sort((one, other) => one.at - other.at).slice(-COMMITS_KEPT);
}

function joinTakeovers(old: Takeover[], added: Takeover[]): Takeover[] {
  const byEpoch = new Map(old.map((takeover) => [takeover.epoch, takeover]));
  for (const takeover of added) {
    byEpoch.set(takeover.epoch, { ...byEpoch.get(takeover.epoch), ...takeover });
  }
  return [...byEpoch.values()].sort((one, other) => one.epoch - other.epoch).slice(-16);
}
