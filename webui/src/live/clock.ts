/** A signal that ticks, for ages and countdowns. It stands still while nobody looks. */

import { type ReadonlySignal, signal } from "@preact/signals";

const TICK_MS = 250;

/** Counts quarter seconds: read it to be rendered again. */
function makeTicks(): ReadonlySignal<number> {
  let timer: ReturnType<typeof setInterval> | undefined;
  const ticks = signal(0, {
    watched() {
      timer = setInterval(() => {
        if (!document.hidden) ticks.value += 1;
      }, TICK_MS);
    },
    unwatched() {
      clearInterval(timer);
    },
  });
  return ticks;
}

export const ticks = makeTicks();
