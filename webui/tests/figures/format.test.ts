import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatCount,
  formatDollars,
  formatDuration,
  formatJobs,
  formatMilliseconds,
  formatRate,
  formatRough,
  shortenId,
} from "../../src/figures/format.ts";

describe("durations", () => {
  test.each([
    [0, "0 ms"],
    [-5, "0 ms"],
    [412.4, "412 ms"],
    [1_000, "1.0 s"],
    [2_149, "2.1 s"],
    [9_949, "9.9 s"],
    [9_960, "10 s"],
    [40_000, "40 s"],
    [59_600, "1 min"],
    [200_000, "3 min 20 s"],
    [3_599_600, "60 min"],
    [3_600_000, "1 h"],
    [18_120_000, "5 h 2 min"],
    [86_400_000 * 3 + 3_600_000 * 4, "3 d 4 h"],
  ])("%d ms are %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

test.each([
  [400, "0.4 s"],
  [200_000, "3 min"],
  [18_120_000, "5 h"],
])("%d ms are roughly %s", (ms, text) => {
  expect(formatRough(ms)).toBe(text);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1 kB"],
  [1_234_567, "1.2 MB"],
  [64_000_000, "64 MB"],
  [999_600_000, "1 GB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test("counts, rates and dollars", () => {
  expect(formatCount(48_201)).toBe("48,201");
  expect([formatJobs(1), formatJobs(1_204)]).toEqual(["1 job", "1,204 jobs"]);
  expect([0, 0.42, 9.94, 9.96, 1_204].map(formatRate)).toEqual([
    "0/s",
    "0.4/s",
    "9.9/s",
    "10/s",
    "1,204/s",
  ]);
  expect([0, 1.83, 99.99, 129.6].map(formatDollars)).toEqual(["$0.00", "$1.83", "$99.99", "$130"]);
  expect(formatMilliseconds(104.2)).toBe("104 ms");
});

test("only long ids are shortened", () => {
  expect(shortenId("019a71c0-9f3a-7c17-8be2-d40c55a1b2c3")).toBe("019a…b2c3");
  expect(shortenId("nightly-report")).toBe("nightly-report");
});
