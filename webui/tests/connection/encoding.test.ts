import { decode, encode } from "@msgpack/msgpack";
import { expect, test } from "vitest";
import { decodeMessage, encodeMessage } from "../../src/connection/encoding.ts";

test("whole numbers are exact both ways, and numbers where they can be", () => {
  const value = {
    at: 1706000000000,
    big: 2n ** 64n - 1n,
    low: -(2n ** 63n),
    half: 0.5,
    list: [-7],
  };
  expect(decodeMessage(encodeMessage(value))).toEqual(value);
});

test("a time is a whole number on the wire, not a float", () => {
  const bytes = encodeMessage({ at: 1706000000000 });
  expect(bytes.includes(0xcf)).toBe(true);
  expect(decode(bytes)).toEqual({ at: 1706000000000 });
});

test("what is undefined stays away", () => {
  expect(decodeMessage(encodeMessage({ type: undefined, a: null }))).toEqual({ a: null });
});

test("nothing is copied where nothing changes", () => {
  const bytes = encode([{ a: 1 }, { b: "x" }]);
  expect(decodeMessage(bytes)).toEqual([{ a: 1 }, { b: "x" }]);
});
