import { expect, test } from "vitest";
import type { DeadGroup } from "../../../src/connection/results.ts";
import { countJobs, filterOf, mergeGroups } from "../../../src/pages/dead/groups.ts";

const group = (type: string, count: number): DeadGroup => ({
  type,
  errorType: "SmtpError",
  errorMessage: "no",
  count,
  firstAt: 1,
  lastAt: 2,
  jobId: "job",
});

test("known groups keep their place, emptied ones too, and new ones come behind", () => {
  const shown = [group("a", 5), group("b", 3)];
  const fresh = [group("c", 9), group("b", 4)];
  const merged = mergeGroups(shown, fresh);
  expect(merged.map(({ type, count }) => [type, count])).toEqual([
    ["a", 0],
    ["b", 4],
    ["c", 9],
  ]);
  expect(countJobs(merged)).toBe(13);
});

test("a group is found by what it died of", () => {
  expect(filterOf(group("a", 1))).toEqual({
    type: "a",
    errorType: "SmtpError",
    errorMessage: "no",
  });
});
