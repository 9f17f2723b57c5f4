import { signal } from "@preact/signals";
import { expect, test, vi } from "vitest";
import { asNumber, asOneOf, asText, keep } from "../../src/live/kept.ts";
import { storage } from "../page.ts";

test("a setting comes back as it was left", () => {
  const first = signal("a");
  keep("text", first, asText);
  first.value = "b";
  const second = signal("a");
  keep("text", second, asText);
  expect(second.value).toBe("b");
});

test.each(["", "{", "null", '"7"', "51", "[7]"])(
  "stored as %s a number stays the default",
  (text) => {
    storage.setItem("osqueue.number", text);
    const value = signal(4);
    keep("number", value, asNumber({ min: 1, max: 50 }));
    expect(value.value).toBe(4);
  },
);

test("of a choice only what can be chosen is taken", () => {
  const read = asOneOf(["one", "burst"]);
  expect([read("burst"), read("many"), read(1)]).toEqual(["burst", undefined, undefined]);
});

test("without a storage the setting lives as long as the tab", () => {
  vi.stubGlobal("localStorage", undefined);
  const value = signal("a");
  keep("text", value, asText);
  value.value = "c";
  expect(value.value).toBe("c");
});
