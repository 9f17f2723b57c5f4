import "../page.ts";
import { expect, test } from "vitest";
import { changes } from "../../src/live/queue.ts";
import { knownTypes, noteTypes } from "../../src/live/types.ts";

test("types are suggested that were listed or have changed, each once, to a bound", () => {
  noteTypes(["email:send", "", "email:send"]);
  const change = { id: "a", status: "dead", type: "bill:print", attempts: 1, at: 0 } as const;
  changes.value = { number: 1, jobs: [change], missed: 0 };
  expect(knownTypes.value).toEqual(["bill:print", "email:send"]);
  const before = knownTypes.value;
  noteTypes(["email:send"]);
  expect(knownTypes.value).toBe(before);
  noteTypes(Array.from({ length: 300 }, (_, index) => `type-${index}`));
  expect(knownTypes.value).toHaveLength(200);
});
