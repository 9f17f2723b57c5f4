/** What stands in the form, what is wrong with it, and the jobs that it describes. */

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Json } from "../../connection/results.ts";
import { formatCount } from "../../figures/format.ts";
import { JsonProblem, parseJson } from "../../figures/json.ts";
import { asOneOf, asText, keep } from "../../live/kept.ts";
import type { NewJob } from "./producing.ts";

export type Mode = "one" | "burst" | "steady";
export const mode = signal<Mode>("one");

export const fields = {
  type: signal("email:send"),
  payload: signal('{\n  "to": "ada@example.org",\n  "template": "welcome"\n}'),
  priority: signal("0"),
  delay: signal("0"),
  attempts: signal(""),
  uniqueKey: signal(""),
  keep: signal("0"),
  burst: signal("200"),
  rate: signal("10"),
};

keep("producer.mode", mode, asOneOf<Mode>(["one", "burst", "steady"]));
for (const [name, field] of Object.entries(fields)) keep(`producer.${name}`, field, asText);

/** What a number may be. The bounds are the broker's, or what a tab can bear. */
interface Bounds {
  least: number;
  most: number;
  isWhole: boolean;
  /** What an empty field stands for. */
  empty: number;
}

const MINUTES_A_YEAR = 366 * 24 * 60;

export const BOUNDS = {
  priority: { least: -100, most: 100, isWhole: true, empty: 0 },
  delay: { least: 0, most: 10 * MINUTES_A_YEAR * 60, isWhole: false, empty: 0 },
  attempts: { least: 1, most: 1_000, isWhole: true, empty: 0 },
  keep: { least: 0, most: 10 * MINUTES_A_YEAR, isWhole: false, empty: 0 },
  burst: { least: 1, most: 20_000, isWhole: true, empty: Number.NaN },
  rate: { least: 0.1, most: 2_000, isWhole: false, empty: Number.NaN },
} satisfies Record<string, Bounds>;

export type NumberName = keyof typeof BOUNDS;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;

/** The number that a text is, or why it is none that is allowed. */
export function readNumber(text: string, bounds: Bounds): { value: number } | { problem: string } {
  const { least, most, isWhole, empty } = bounds;
  const typed = text.trim();
  if (typed === "" && !Number.isNaN(empty)) return { value: empty };
  const value = Number(typed);
  const isNumber = NUMBER.test(typed) && (!isWhole || Number.isInteger(value));
  if (isNumber && value >= least && value <= most) return { value };
  const what = isWhole ? "A whole number" : "A number";
  const from = least === 0.1 ? "0.1" : formatCount(least);
  return { problem: `${what} from ${from} to ${formatCount(most)}` };
}

/** Why each number is refused; empty: it is not. */
export const problems: Record<NumberName, ReadonlySignal<string>> = mapNames((name) =>
  computed(() => {
    const read = readNumber(fields[name].value, BOUNDS[name]);
    return "problem" in read ? read.problem : "";
  }),
);

function mapNames<Value>(make: (name: NumberName) => Value): Record<NumberName, Value> {
  const names = Object.keys(BOUNDS) as NumberName[];
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<NumberName, Value>;
}

/** The number of a field; NaN: it is refused. */
export function numberOf(name: NumberName): number {
  const read = readNumber(fields[name].value, BOUNDS[name]);
  return "value" in read ? read.value : Number.NaN;
}

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

/** Whether something stands in the form that is refused. */
export const isWrong = computed(() => {
  const names: NumberName[] = ["priority", "delay", "attempts", "keep"];
  if (mode.value === "burst") names.push("burst");
  if (mode.value === "steady") names.push("rate");
  return "problem" in payload.value || names.some((name) => problems[name].value !== "");
});

/** The job as it would be submitted now; undefined while something in the form is refused. */
export function makeJob(): NewJob | undefined {
  const parsed = payload.peek();
  if (isWrong.peek() || "problem" in parsed) return undefined;
  const job: NewJob = { payload: parsed.value };
  const type = fields.type.peek().trim();
  const key = fields.uniqueKey.peek().trim();
  const priority = numberOf("priority");
  const delayMs = Math.round(numberOf("delay") * 1_000);
  const attempts = numberOf("attempts");
  const keepMs = Math.round(numberOf("keep") * 60_000);
  if (type !== "") job.type = type;
  if (key !== "") job.uniqueKey = key;
  if (priority !== 0) job.priority = priority;
  if (delayMs > 0) job.delayMs = delayMs;
  if (attempts > 0) job.maxAttempts = attempts;
  if (keepMs > 0) job.resultTtlMs = keepMs;
  return job;
}
