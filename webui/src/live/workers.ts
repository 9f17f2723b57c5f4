/**
 * Who works, asked for again when the broker has pushed something, at most every second.
 *
 * The broker pushes no list of workers; but it pushes something whenever anything happens, and a
 * heartbeat of its own every few seconds. While nobody looks, nothing is asked.
 */

import { effect, signal } from "@preact/signals";
import { QueueError } from "../connection/errors.ts";
import type { Workers } from "../connection/results.ts";
import { ask, changes, isLive, isPaused, past } from "./queue.ts";

const PAUSE_MS = 1_000;

export const workers = signal<Workers | undefined>(undefined);
/** Why there is no list, where there is none. */
export const workersProblem = signal("");

/** Keeps `workers` fresh until the returned function is called. */
export function watchWorkers(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStale = false;

  async function refresh(): Promise<void> {
    isStale = false;
    try {
      workers.value = await ask<Workers>("listWorkers", { limit: 50 });
      workersProblem.value = "";
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      workersProblem.value = error.message;
    }
  }

  function refreshSoon(): void {
    isStale = true;
    if (timer !== undefined) return;
    void refresh();
    timer = setTimeout(() => {
      timer = undefined;
      if (isStale) refreshSoon();
    }, PAUSE_MS);
  }

  const stop = effect(() => {
    changes.value;
    past.value;
    if (isLive.value && !isPaused.value && !document.hidden) refreshSoon();
  });
  return () => {
    stop();
    clearTimeout(timer);
    isStale = false;
  };
}
