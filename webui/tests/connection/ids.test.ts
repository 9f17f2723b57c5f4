import { expect, test } from "vitest";
import { makeJobId, makeRandomHex } from "../../src/connection/ids.ts";

test("job ids are UUIDs of version 7 that sort by time", () => {
  const [first, second] = [makeJobId(1_706_000_000_000), makeJobId(1_706_000_000_001)];
  expect(first).toMatch(/^018d3586-2400-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(first < second).toBe(true);
  expect(new Set(Array.from({ length: 1_000 }, () => makeJobId(0))).size).toBe(1_000);
});

test("random names have two digits a byte", () => {
  expect(makeRandomHex(3)).toMatch(/^[0-9a-f]{6}$/);
});
