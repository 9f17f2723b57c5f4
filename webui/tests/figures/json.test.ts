import { describe, expect, test } from "vitest";
import { formatJson, formatJsonLine, JsonProblem, parseJson } from "../../src/figures/json.ts";

describe("reading", () => {
  test.each([
    '{"to": 7, "list": [1, -2.5e3, true, null], "deep": {"a": {}}, "empty": []}',
    '"text with \\u00e9 and \\n"',
    "  0 ",
    "[[[]]]",
    '{"a": 1, "a": 2}',
  ])("%s is what JSON.parse makes of it", (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  test("whole numbers of 64 bits are kept exactly", () => {
    expect(parseJson("9007199254740993")).toBe(9007199254740993n);
    expect(parseJson("-9223372036854775808")).toBe(-(2n ** 63n));
  });

  test("a key of the language's own is a key like any other", () => {
    expect(Object.keys(parseJson('{"__proto__": 1}') as object)).toEqual(["__proto__"]);
  });

  test.each([
    ["", 1, 1, "a value is missing"],
    ['{"to": }', 1, 8, "no value starts with }"],
    ['{\n  "to": 7,\n}', 3, 1, "no key follows the comma"],
    ['{\n  "to" 7}', 2, 8, "a colon is missing"],
    ["[1, 2", 1, 6, "a comma or ] is missing"],
    ['{"a": "x', 1, 7, "a string does not end, or has a wrong escape"],
    ["{'a': 1}", 1, 2, "a key in double quotes is missing"],
    ["01", 1, 2, "something follows the value"],
    ["-", 1, 1, "no number looks like this"],
    ["1e999", 1, 6, "the number is too large"],
    ["18446744073709551616", 1, 21, "beyond 64 bits"],
  ])("%j is refused at line %i, column %i", (text, line, column, what) => {
    const parse = () => parseJson(text);
    expect(parse).toThrow(JsonProblem);
    expect(parse).toThrow(`Line ${line}, column ${column}: ${what}`);
  });

  test("a nest of 64 is read, one of 65 is refused, and one of 100,000 harms nobody", () => {
    expect(parseJson("[".repeat(64) + "]".repeat(64))).toBeTruthy();
    for (const depth of [65, 100_000]) {
      expect(() => parseJson("[".repeat(depth))).toThrow("nested deeper than 64");
    }
  });
});

test("writing indents, keeps exact numbers, and reads back", () => {
  const value = { a: [1, { b: null }], big: 9007199254740993n, none: {}, "\u00e9": "\n" };
  const text = formatJson(value);
  expect(text).toBe(
    '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n' +
      '  "big": 9007199254740993,\n  "none": {},\n  "\u00e9": "\\n"\n}',
  );
  expect(parseJson(text)).toEqual(value);
  expect(formatJsonLine(value)).toContain('"a": [1, {"b": null}], "big": 9007199254740993');
  expect(formatJson(undefined)).toBe("");
});
