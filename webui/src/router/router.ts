/** Which page is shown: the address is the state. Filters live in its query. */

import { batch, signal } from "@preact/signals";

export const path = signal(location.pathname);
export const query = signal(new URLSearchParams(location.search));

function read(): void {
  batch(() => {
    path.value = location.pathname;
    query.value = new URLSearchParams(location.search);
  });
}

/** How long a page may take to be as high as it was when it was left. */
const SETTLE_MS = 1_000;
/** Whether the browser's Back or Forward led here. */
export let isReturn = false;

// Browsers scroll back before the page has asked for what it shows.
history.scrollRestoration = "manual";
addEventListener("popstate", () => {
  isReturn = true;
  read();
  restoreScroll((history.state as { scrollY?: number } | null)?.scrollY ?? 0);
});

function noteScroll(): void {
  history.replaceState({ ...history.state, scrollY }, "");
}

function restoreScroll(wantedY: number): void {
  const address = location.href;
  const end = performance.now() + SETTLE_MS;
  const step = (): void => {
    if (location.href !== address) return;
    scrollTo(0, wantedY);
    if (scrollY < wantedY - 1 && performance.now() < end) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

/** Goes to a page, like a link does. */
export function navigate(address: string): void {
  isReturn = false;
  if (address !== location.pathname + location.search) {
    noteScroll();
    history.pushState(null, "", address);
  }
  read();
  scrollTo(0, 0);
}

/**
 * Changes fields of the query; an empty one is taken out.
 *
 * It replaces the entry of the history: typing into a filter is not a journey.
 */
export function setQuery(fields: Record<string, string | undefined>): void {
  const { next, address } = changed(fields);
  history.replaceState(history.state, "", address);
  query.value = next;
}

/** Changes fields of the query as a step of its own, which the browser's Back undoes. */
export function stepQuery(fields: Record<string, string | undefined>): void {
  const { next, address } = changed(fields);
  const from = location.pathname + location.search;
  if (address === from) return;
  noteScroll();
  history.pushState({ from }, "", address);
  query.value = next;
}

/** Undoes a step: goes back where that leads to this very query, so that no entry is left over. */
export function unstepQuery(fields: Record<string, string | undefined>): void {
  if ((history.state as { from?: string } | null)?.from === changed(fields).address) history.back();
  else setQuery(fields);
}

function changed(fields: Record<string, string | undefined>): {
  next: URLSearchParams;
  address: string;
} {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  return { next, address: location.pathname + (text === "" ? "" : `?${text}`) };
}

/** An address with a query, for links. */
export function addressWith(address: string, fields: Record<string, string | undefined>): string {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== "");
  if (kept.length === 0) return address;
  return `${address}?${new URLSearchParams(kept as [string, string][])}`;
}
