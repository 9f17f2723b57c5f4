/** Speaks to screen readers what the eye sees by itself: at most once in five seconds. */

import { signal } from "@preact/signals";

const PAUSE_MS = 5_000;
const spoken = signal("");
let next = "";
let timer: ReturnType<typeof setTimeout> | undefined;

/** Of several things within five seconds the last is said. */
export function say(text: string): void {
  next = text;
  if (timer !== undefined) return;
  speak();
}

function speak(): void {
  timer = undefined;
  if (next === "") return;
  spoken.value = next;
  next = "";
  timer = setTimeout(speak, PAUSE_MS);
}

export function LiveRegion() {
  return (
    <div class="spoken" role="status" aria-live="polite">
      {spoken}
    </div>
  );
}
