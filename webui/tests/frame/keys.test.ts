import { afterEach, expect, test } from "vitest";
import { bindKeys, boundKeys, findKey } from "../../src/frame/keys.ts";

let unbind = () => {};

afterEach(() => {
  unbind();
  findKey("nothing", -10_000);
});

function bind(...keys: string[]): void {
  unbind = bindKeys(keys.map((one) => ({ keys: one, what: one, act: () => {} })));
}

test("two keys in a row are one, if they come soon after each other", () => {
  bind("g d", "d");
  expect(findKey("g", 1_000)).toBeUndefined();
  expect(findKey("d", 2_000)?.keys).toBe("g d");
  expect(findKey("g", 10_000)).toBeUndefined();
  expect(findKey("d", 12_000)?.keys).toBe("d");
});

test("what was bound last comes first, and unbinding brings back what was there", () => {
  bind("r");
  const again = bindKeys([{ keys: "r", what: "of the page shown", act: () => {} }]);
  expect(findKey("r", 0)?.what).toBe("of the page shown");
  again();
  expect(findKey("r", 0)?.what).toBe("r");
  expect(boundKeys.value).toHaveLength(1);
});

test("a key that nobody bound finds nothing", () => {
  bind("r");
  expect(findKey("q", 0)).toBeUndefined();
});
