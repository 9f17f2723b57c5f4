import { expect, test } from "vitest";
import { dollarsAMonth } from "../../src/figures/price.ts";

test("an idle broker costs the heartbeats of a month", () => {
  expect(dollarsAMonth(1 / 3, 0)).toBeCloseTo(4.32, 2);
});

test("reads are a twelfth as dear as writes", () => {
  expect(dollarsAMonth(0, 1)).toBeCloseTo(1.04, 2);
  expect(dollarsAMonth(0, 0)).toBe(0);
});
