/** Light or dark: the system's wish until the reader chooses, then theirs. */

import { effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";
const KEY = "osqueue.theme";
const isDarkWished = matchMedia("(prefers-color-scheme: dark)");

function stored(): Theme | undefined {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : undefined;
}

const chosen = signal<Theme | undefined>(stored());
const wished = signal<Theme>(isDarkWished.matches ? "dark" : "light");
isDarkWished.addEventListener("change", (event) => {
  wished.value = event.matches ? "dark" : "light";
});

/** What is shown now; charts read their colours again when it changes. */
export const theme = signal<Theme>(chosen.peek() ?? wished.peek());

effect(() => {
  if (chosen.value === undefined) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen.value;
  theme.value = chosen.value ?? wished.value;
});

export function toggleTheme(): void {
  const next: Theme = theme.peek() === "dark" ? "light" : "dark";
  // Back to the system's wish, so that it is followed again.
  chosen.value = next === wished.peek() ? undefined : next;
  if (chosen.peek() === undefined) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, next);
}
