/** The keyboard: one table says what a key does, and the sheet (`?`) shows it. */

import { signal } from "@preact/signals";

export interface Key {
  /** As typed: `r`, `/`, or two in a row: `g d`. */
  keys: string;
  what: string;
  act: () => void;
}

const SECOND_KEY_MS = 1_500;
const bound = signal<readonly Key[]>([]);
/** All that works now, in the order it was bound. */
export const boundKeys = bound;
let firstKey = "";
let firstKeyAt = 0;

/** Binds keys; returns what unbinds them. Use `useKeys` within a component. */
export function bindKeys(keys: readonly Key[]): () => void {
  bound.value = [...bound.peek(), ...keys];
  return () => {
    bound.value = bound.peek().filter((key) => !keys.includes(key));
  };
}

/** Finds what was typed; a first key of two is remembered for a moment. */
export function findKey(typed: string, nowMs: number): Key | undefined {
  const pair = nowMs - firstKeyAt < SECOND_KEY_MS ? `${firstKey} ${typed}` : "";
  firstKey = typed;
  firstKeyAt = nowMs;
  // The page shown last bound its keys last: they come before the frame's.
  const keys = bound.peek();
  return keys.findLast((key) => key.keys === pair) ?? keys.findLast((key) => key.keys === typed);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Enter and space belong to whatever has the focus. */
function isPressing(event: KeyboardEvent): boolean {
  const isOnControl =
    event.target instanceof HTMLElement && event.target.closest("a, button, summary");
  return isOnControl !== null && (event.key === "Enter" || event.key === " ");
}

/** What is behind a dialog must not change unseen; the sheet of keys is closed by its own key. */
function isForPage(event: KeyboardEvent): boolean {
  const dialog = document.querySelector("dialog[open]");
  return dialog === null || (event.key === "?" && dialog.hasAttribute("data-keys"));
}

export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") (event.target as HTMLElement).blur();
      return;
    }
    if (isPressing(event) || !isForPage(event)) return;
    const key = findKey(event.key === "Enter" ? "enter" : event.key, event.timeStamp);
    if (key === undefined) return;
    event.preventDefault();
    key.act();
  });
}
