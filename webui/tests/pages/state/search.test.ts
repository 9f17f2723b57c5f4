import { expect, test, vi } from "vitest";
import { findText, HITS_MAX } from "../../../src/pages/state/search.ts";

const goOn = async () => true;
const lines = (...texts: string[]) => texts.map((text, index) => ({ number: index + 1, text }));

test("every place is found, with what stands around it", async () => {
  const hits = await findText(lines("xxab", "", "ab and ab"), "ab", goOn);
  expect(hits.map(({ line, at }) => [line, at])).toEqual([
    [1, 2],
    [3, 0],
    [3, 7],
  ]);
  expect(hits[0]).toMatchObject({ before: "xx", found: "ab", after: "" });
});

test("nothing is found of nothing, and no more than a list can show", async () => {
  expect(await findText(lines("abc"), "", goOn)).toEqual([]);
  expect(await findText(lines("a".repeat(1_000)), "a", goOn)).toHaveLength(HITS_MAX);
});

test("between slices others get their turn, and may end the search", async () => {
  const rest = vi.fn(async () => false);
  const long = lines("-".repeat(5_000_000), "needle");
  expect(await findText(long, "needle", rest)).toEqual([]);
  expect(rest).toHaveBeenCalledTimes(1);
  expect(await findText(long, "needle", goOn)).toHaveLength(1);
});
