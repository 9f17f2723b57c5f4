/** What stands in the form, and the job that it describes. */

import { computed, signal } from "@preact/signals";
import type { Json } from "../../connection/results.ts";
import { JsonProblem, parseJson } from "../../figures/json.ts";
import type { NewJob } from "./producing.ts";

export const fields = {
  type: signal("email:send"),
  payload: signal('{\n  "to": "ada@example.org",\n  "template": "welcome"\n}'),
  priority: signal("0"),
  delay: signal("0"),
  attempts: signal(""),
  uniqueKey: signal(""),
  keep: signal("0"),
};

export type Parsed = { value: Json } | { problem: string };

export const payload = computed<Parsed>(() => {
  const text = fields.payload.value;
  if (text.trim() === "") return { value: null };
  try {
    return { value: parseJson(text) };
  } catch (error) {
    if (error instanceof JsonProblem) return { problem: error.message };
    throw error;
  }
});

/** The job as it would be submitted now; undefined while the payload is no JSON. */
export function makeJob(): NewJob | undefined {
  const parsed = payload.peek();
  if ("problem" in parsed) return undefined;
  const job: NewJob = { payload: parsed.value };
  const type = fields.type.peek().trim();
  const key = fields.uniqueKey.peek().trim();
  const number = (text: string) => (Number.isFinite(Number(text)) ? Number(text) : 0);
  const priority = number(fields.priority.peek());
  const delayMs = Math.round(number(fields.delay.peek()) * 1_000);
  const attempts = number(fields.attempts.peek());
  const keepMs = Math.round(number(fields.keep.peek()) * 60_000);
  if (type !== "") job.type = type;
  if (key !== "") job.uniqueKey = key;
  if (priority !== 0) job.priority = priority;
  if (delayMs > 0) job.delayMs = delayMs;
  if (attempts > 0) job.maxAttempts = attempts;
  if (keepMs > 0) job.resultTtlMs = keepMs;
  return job;
}
