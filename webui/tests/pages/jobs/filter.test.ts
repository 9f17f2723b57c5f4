import { expect, test } from "vitest";
import { describeFilter, keyOf, needsLook, readView } from "../../../src/pages/jobs/filter.ts";

const read = (query: string) => readView(new URLSearchParams(query));

test("the address is the filter", () => {
  expect(read("status=dead&type=mail&text=a&order=asc")).toEqual({
    filter: { status: "dead", type: "mail", text: "a" },
    order: "asc",
  });
  expect(read("")).toEqual({ filter: {}, order: "desc" });
});

test("what is misspelt or empty counts as absent, but a type may be empty", () => {
  expect(read("status=alive&text=&order=up")).toEqual({ filter: {}, order: "desc" });
  expect(read("type=").filter).toEqual({ type: "" });
});

test("only status and type let the broker jump", () => {
  expect(needsLook(read("status=dead&type=mail").filter)).toBe(false);
  expect(needsLook(read("text=a").filter)).toBe(true);
  expect(needsLook(read("errorType=").filter)).toBe(true);
});

test("equal views have equal keys, whatever the order of their fields", () => {
  expect(keyOf(read("type=a&status=dead"))).toBe(keyOf(read("status=dead&type=a")));
  expect(keyOf(read("type=a"))).not.toBe(keyOf(read("type=b")));
});

test("a filter in words", () => {
  const filter = read("status=dead&type=mail&errorType=SmtpError&errorMessage=no&text=x").filter;
  expect(describeFilter(filter)).toBe(
    "dead, of type mail, with SmtpError, saying “no”, containing “x”",
  );
  expect(describeFilter({})).toBe("");
});
