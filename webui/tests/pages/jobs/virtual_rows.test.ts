import { describe, expect, test } from "vitest";
import {
  contentPx,
  type Frame,
  HEIGHT_PX_MAX,
  rowAt,
  scrollFor,
  scrollToShow,
  spanAt,
} from "../../../src/pages/jobs/virtual_rows.ts";

const SHORT: Frame = { rows: 10, rowPx: 32, windowPx: 640 };
const LONG: Frame = { rows: 100_000, rowPx: 32, windowPx: 640 };
const HUGE: Frame = { rows: 1_000_000, rowPx: 32, windowPx: 640 };

test("a list that fits stands in the DOM as a whole", () => {
  expect(spanAt(0, SHORT)).toEqual({ first: 0, end: 10, topPx: 0 });
  expect(spanAt(500, SHORT)).toEqual({ first: 0, end: 10, topPx: 0 });
});

test("an empty list has no rows", () => {
  expect(spanAt(0, { ...LONG, rows: 0 })).toEqual({ first: 0, end: 0, topPx: 0 });
});

describe.each([
  ["100,000 rows", LONG],
  ["a million rows", HUGE],
])("%s", (_name, frame) => {
  const furthest = contentPx(frame) - frame.windowPx;

  test("never stand in the DOM together", () => {
    for (const scroll of [0, 1, 12_345, furthest / 2, furthest, furthest + 999]) {
      const { first, end } = spanAt(scroll, frame);
      expect(end - first).toBeLessThan(60);
      expect(end - first).toBeGreaterThanOrEqual(20);
    }
  });

  test("the rows that are drawn cover the window", () => {
    for (const scroll of [0, 777.5, furthest / 3, furthest]) {
      const { first, end, topPx } = spanAt(scroll, frame);
      expect(topPx).toBeLessThanOrEqual(scroll);
      expect(topPx + (end - first) * frame.rowPx).toBeGreaterThanOrEqual(scroll + frame.windowPx);
    }
  });

  test("the first and the last row can be reached", () => {
    expect(spanAt(0, frame).first).toBe(0);
    expect(spanAt(furthest, frame).end).toBe(frame.rows);
  });

  test("scrolling to a row puts it at the upper edge", () => {
    for (const row of [0, 1, 4_321, 99_000]) {
      expect(rowAt(scrollFor(row, frame), frame)).toBeCloseTo(row, 5);
    }
    expect(scrollFor(frame.rows - 1, frame)).toBe(furthest);
  });

  test("showing a row scrolls no further than it must", () => {
    const at = scrollFor(1_000, frame);
    expect(scrollToShow(1_005, at, frame)).toBe(at);
    expect(rowAt(scrollToShow(990, at, frame), frame)).toBeCloseTo(990, 5);
    expect(rowAt(scrollToShow(1_020, at, frame), frame)).toBeCloseTo(1_001, 5);
  });
});

test("no content is higher than a browser lays out", () => {
  expect(contentPx(HUGE)).toBe(HEIGHT_PX_MAX);
});
