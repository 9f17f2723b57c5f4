/** What a list of jobs is narrowed to. It lives in the query of the address. */

import type { JobFilter, JobStatus } from "../../connection/results.ts";
import { STATUSES as SHOWN } from "../../parts/Status.tsx";

export const STATUSES: readonly JobStatus[] = [
  "unclaimed",
  "in_progress",
  "scheduled",
  "dead",
  "completed",
];

/** A filter and the order of its list; `asc` is the order of submission. */
export interface View {
  filter: JobFilter;
  order: "asc" | "desc";
}

/** The view that an address asks for; what it misspells counts as absent. */
export function readView(query: URLSearchParams): View {
  const filter: JobFilter = {};
  const status = STATUSES.find((one) => one === query.get("status"));
  if (status !== undefined) filter.status = status;
  for (const name of ["type", "text", "errorType", "errorMessage"] as const) {
    const value = query.get(name);
    // A type may be empty; an empty text finds everything.
    if (value !== null && (value !== "" || name !== "text")) filter[name] = value;
  }
  return { filter, order: query.get("order") === "asc" ? "asc" : "desc" };
}

/** Whether the broker can only tell by looking at each job, so that it cannot jump or count. */
export function needsLook({ text, errorType, errorMessage }: JobFilter): boolean {
  return text !== undefined || errorType !== undefined || errorMessage !== undefined;
}

/** One text for each view, to tell two apart. */
export function keyOf({ filter, order }: View): string {
  return JSON.stringify([order, ...Object.entries(filter).sort()]);
}

/** The filter in words, as in "all jobs that are dead, of type email:send". */
export function describeFilter({ status, type, text, errorType, errorMessage }: JobFilter): string {
  const parts: string[] = [];
  if (status !== undefined) parts.push(SHOWN[status].word);
  if (type !== undefined) parts.push(type === "" ? "without a type" : `of type ${type}`);
  if (errorType !== undefined) parts.push(`with ${errorType || "an error without a type"}`);
  if (errorMessage !== undefined) parts.push(`saying “${errorMessage}”`);
  if (text !== undefined) parts.push(`containing “${text}”`);
  return parts.join(", ");
}
