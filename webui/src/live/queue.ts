/**
 * What this tab knows of the queue, as signals. Everything here is pushed by the broker.
 *
 * While live updates are paused (the key `.`) events are kept aside, so that the page stands still;
 * they are applied on resuming.
 */

import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import { readOrigins } from "../connection/peers.ts";
import type { Commit, History, JobChange, Leader, Stats } from "../connection/results.ts";
import { type Event, Session } from "../connection/session.ts";
import { addCommit, emptyPast, extendPast, type Past } from "./past.ts";

const EVENTS = ["leader", "stats", "jobs", "commit", "history"] as const;
const ASIDE_MAX = 2_000;

/** The changes of one delivery, for pages that list jobs. */
export interface Changes {
  /** Counts deliveries, so that two equal ones differ. */
  number: number;
  jobs: JobChange[];
  /** Changes that were dropped because this tab is slow: list the jobs again. */
  missed: number;
}

export const stats = signal<Stats | undefined>(undefined);
/** When `stats` arrived, on this machine's steady clock. */
export const statsAt = signal(0);
export const leader = signal<Leader | undefined>(undefined);
export const past = signal<Past>(emptyPast());
export const changes = signal<Changes>({ number: 0, jobs: [], missed: 0 });
export const isPaused = signal(false);

const aside: Event[] = [];
/** How many events wait for resuming. */
export const asideCount = signal(0);

/** How far the broker's clock is ahead of this machine's, in ms. */
let clockAheadMs = 0;

/** The broker's clock: what ages are told by. */
export function brokerNow(): number {
  return Date.now() + clockAheadMs;
}

function takeEvent(event: Event): void {
  if (!isPaused.peek()) {
    applyEvent(event);
    return;
  }
  if (aside.length >= ASIDE_MAX) aside.shift();
  aside.push(event);
  asideCount.value = aside.length;
}

function applyEvent({ event, data, missed = 0 }: Event): void {
  batch(() => {
    if (event === "leader") leader.value = data as Leader;
    else if (event === "history") past.value = extendPast(past.peek(), data as History);
    else if (event === "commit") past.value = addCommit(past.peek(), data as Commit);
    else if (event === "jobs") {
      const number = changes.peek().number + 1;
      changes.value = { number, jobs: data as JobChange[], missed };
    } else if (event === "stats") {
      const fresh = data as Stats;
      clockAheadMs = (fresh.now ?? Date.now()) - Date.now();
      stats.value = fresh;
      statsAt.value = performance.now();
    }
  });
}

/** Stops the page, or lets it catch up. */
export function togglePaused(): void {
  isPaused.value = !isPaused.peek();
  if (isPaused.peek()) return;
  for (const event of aside.splice(0)) applyEvent(event);
  asideCount.value = 0;
}

/** The one connection of this tab. */
export const session = new Session({
  origins: readOrigins(document, location),
  events: EVENTS,
  onEvent: takeEvent,
});

export const connection = session.state;

/** Whether what the page shows is what the queue is. */
export const isLive: ReadonlySignal<boolean> = computed(
  () => connection.value.kind === "leading" && !session.isSilent.value,
);

/** Asks for something that changes nothing. */
export function ask<Result>(method: string, params: object = {}): Promise<Result> {
  return session.call<Result>(method, params);
}

/** What an action has come to: its result, and the commit that is known to hold it. */
export interface Done<Result> {
  result: Result;
  commitId: string;
}

/**
 * Carries out a mutation; the answer means that it is durable.
 *
 * The counts are asked for behind it, so the commit id is that of its write or of a later one.
 */
export async function act<Result>(method: string, params: object = {}): Promise<Done<Result>> {
  const result = await session.call<Result>(method, params, { isMutation: true });
  const { commitId } = await ask<Stats>("getStats");
  return { result, commitId };
}
