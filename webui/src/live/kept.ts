/** Settings of this browser that outlive a reload, in its local storage. */

import { effect, type Signal } from "@preact/signals";

/** What a stored value must be; undefined: it is nonsense, and the default stays. */
type Read<Value> = (stored: unknown) => Value | undefined;

/** Gives the signal what was kept under this name, and keeps what it becomes. */
export function keep<Value>(name: string, value: Signal<Value>, read: Read<Value>): void {
  const key = `osqueue.${name}`;
  const kept = read(readStored(key));
  if (kept !== undefined) value.value = kept;
  effect(() => store(key, value.value));
}

export const asText: Read<string> = (stored) => (typeof stored === "string" ? stored : undefined);

/** A number within these bounds; they themselves are allowed. */
export function asNumber({ min, max }: { min: number; max: number }): Read<number> {
  return (stored) =>
    typeof stored === "number" && stored >= min && stored <= max ? stored : undefined;
}

export function asOneOf<Value extends string>(values: readonly Value[]): Read<Value> {
  return (stored) => values.find((value) => value === stored);
}

function readStored(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    // No storage (a private window, a test), or no JSON in it: the defaults do.
    return undefined;
  }
}

function store(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // No storage, or it is full: the setting lives as long as the tab.
  }
}
