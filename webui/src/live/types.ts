/** The types of jobs that this tab has come across: what a filter may suggest. */

import { effect, signal } from "@preact/signals";
import { changes, stats } from "./queue.ts";

const KEPT = 200;

/** In alphabetical order; the empty type is not among them. */
export const knownTypes = signal<readonly string[]>([]);

export function noteTypes(types: Iterable<string>): void {
  const known = knownTypes.peek();
  const all = new Set(known);
  for (const type of types) if (type !== "" && all.size < KEPT) all.add(type);
  if (all.size > known.length) knownTypes.value = [...all].sort();
}

effect(() => noteTypes(changes.value.jobs.map(({ type }) => type)));
effect(() => noteTypes(stats.value?.deadByType?.map(({ type }) => type) ?? []));
