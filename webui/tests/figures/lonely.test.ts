import { expect, test } from "vitest";
import { findLonely } from "../../src/figures/lonely.ts";

test("values without a neighbour are found, at the ends too; those of a line are not", () => {
  expect(findLonely([5, null, null, 6, 7, null, 0, undefined, 8])).toEqual([0, 6, 8]);
  expect(findLonely([])).toEqual([]);
  expect(findLonely([null, 1, 2])).toEqual([]);
});
