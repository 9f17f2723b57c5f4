import { beforeEach, expect, test } from "vitest";
import {
  BOUNDS,
  fields,
  isWrong,
  makeJob,
  mode,
  problems,
  readNumber,
} from "../../../src/pages/producer/form.ts";
import { storage } from "../../page.ts";

beforeEach(() => {
  for (const name of ["priority", "delay", "keep"] as const) fields[name].value = "0";
  fields.type.value = "email:send";
  fields.payload.value = '{"order": 7}';
  fields.attempts.value = fields.uniqueKey.value = "";
  fields.burst.value = "200";
  mode.value = "one";
});

test("a job has what the form says, and the defaults are the broker's", () => {
  expect(makeJob()).toEqual({ type: "email:send", payload: { order: 7 } });
  fields.type.value = " ";
  fields.priority.value = "-5";
  fields.delay.value = "1.5";
  fields.attempts.value = "4";
  fields.keep.value = "2";
  fields.uniqueKey.value = " receipt-7 ";
  expect(makeJob()).toEqual({
    payload: { order: 7 },
    priority: -5,
    delayMs: 1_500,
    maxAttempts: 4,
    resultTtlMs: 120_000,
    uniqueKey: "receipt-7",
  });
});

test("a field that holds no number is refused, with what is allowed", () => {
  fields.priority.value = "high";
  expect(problems.priority.value).toBe("A whole number from -100 to 100");
  expect(isWrong.value).toBe(true);
  expect(makeJob()).toBeUndefined();
});

test.each(["1e2", "0x10", "Infinity", "NaN", "1,000", "2.5", "-101", "101", "1 0"])(
  "%s is no priority",
  (text) => expect(readNumber(text, BOUNDS.priority)).toHaveProperty("problem"),
);

test("bounds themselves are allowed, and an empty field where it has a meaning", () => {
  expect(readNumber("-100", BOUNDS.priority)).toEqual({ value: -100 });
  expect(readNumber(" +100 ", BOUNDS.priority)).toEqual({ value: 100 });
  expect(readNumber("0.1", BOUNDS.rate)).toEqual({ value: 0.1 });
  expect(readNumber("", BOUNDS.delay)).toEqual({ value: 0 });
  expect(readNumber("", BOUNDS.burst)).toEqual({ problem: "A whole number from 1 to 20,000" });
});

test("how many counts only where it is asked for", () => {
  fields.burst.value = "many";
  expect(isWrong.value).toBe(false);
  mode.value = "burst";
  expect(isWrong.value).toBe(true);
});

test("a payload that is no JSON makes no job, an empty one is null", () => {
  fields.payload.value = "{";
  expect(makeJob()).toBeUndefined();
  fields.payload.value = " ";
  expect(makeJob()).toEqual({ type: "email:send", payload: null });
});

test("what stands in the form is kept for the next time", () => {
  fields.type.value = "invoice:render";
  expect(storage.getItem("osqueue.producer.type")).toBe('"invoice:render"');
});
