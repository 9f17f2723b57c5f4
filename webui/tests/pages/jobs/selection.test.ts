import { expect, test } from "vitest";
import {
  count,
  EVERYTHING,
  extend,
  holds,
  NOTHING,
  toggle,
} from "../../../src/pages/jobs/selection.ts";

const idAt = (row: number) => (row === 3 ? undefined : `job-${row}`);

test("toggling selects and releases", () => {
  const one = toggle(NOTHING, 2, "job-2");
  expect(holds(one, "job-2")).toBe(true);
  expect(count(one, 100)).toBe(1);
  expect(count(toggle(one, 2, "job-2"), 100)).toBe(0);
});

test("extending reaches from the row touched last, in both directions, over what is loaded", () => {
  const anchored = toggle(NOTHING, 2, "job-2");
  expect([...extend(anchored, 5, idAt).ids]).toEqual(["job-2", "job-4", "job-5"]);
  expect([...extend(anchored, 0, idAt).ids].sort()).toEqual(["job-0", "job-1", "job-2"]);
  expect([...extend(NOTHING, 4, idAt).ids]).toEqual(["job-4"]);
});

test("everything counts what matches, and touching one job begins anew", () => {
  expect(count(EVERYTHING, 1_204)).toBe(1_204);
  expect(holds(EVERYTHING, "whatever")).toBe(true);
  expect([...toggle(EVERYTHING, 1, "job-1").ids]).toEqual(["job-1"]);
});
