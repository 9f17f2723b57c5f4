/**
 * Which rows of a long list stand in the DOM, and where.
 *
 * A browser lays out no element higher than some ten million pixels, and a queue holds a million
 * jobs of 32 pixels. Beyond `HEIGHT_PX_MAX` the scroller is shorter than its rows would be, and a
 * pixel of scrolling stands for more than one of rows.
 */

export const HEIGHT_PX_MAX = 8_000_000;
/** Rows kept above and below the window, so that a quick turn of the wheel shows no gap. */
const MARGIN_ROWS = 12;

/** The rows of a list, and the window through which they are seen. */
export interface Frame {
  rows: number;
  rowPx: number;
  windowPx: number;
}

/** The rows that stand in the DOM: from `first` up to, not including, `end`; the first at `topPx`. */
export interface Span {
  first: number;
  end: number;
  topPx: number;
}

/** How high the scroller's content is, in pixels. */
export function contentPx({ rows, rowPx }: Frame): number {
  return Math.min(rows * rowPx, HEIGHT_PX_MAX);
}

/** The row at the upper edge of the window, as a fraction. */
export function rowAt(scrollPx: number, frame: Frame): number {
  const furthest = contentPx(frame) - frame.windowPx;
  if (furthest <= 0) return 0;
  const share = Math.min(Math.max(scrollPx, 0), furthest) / furthest;
  return (share * (frame.rows * frame.rowPx - frame.windowPx)) / frame.rowPx;
}

/** How far to scroll for `row` to stand at the upper edge, or as near as the list's end allows. */
export function scrollFor(row: number, frame: Frame): number {
  const hidden = frame.rows * frame.rowPx - frame.windowPx;
  if (hidden <= 0) return 0;
  const furthest = contentPx(frame) - frame.windowPx;
  return Math.min(Math.max((row * frame.rowPx) / hidden, 0), 1) * furthest;
}

/** The least scrolling from here that brings `row` into the window. */
export function scrollToShow(row: number, scrollPx: number, frame: Frame): number {
  const top = rowAt(scrollPx, frame);
  const fit = frame.windowPx / frame.rowPx;
  if (row < top) return scrollFor(row, frame);
  if (row + 1 > top + fit) return scrollFor(row + 1 - fit, frame);
  return scrollPx;
}

/** The rows to draw at this place of the scroller. */
export function spanAt(scrollPx: number, frame: Frame): Span {
  const top = rowAt(scrollPx, frame);
  const first = Math.max(Math.floor(top) - MARGIN_ROWS, 0);
  const end = Math.min(Math.ceil(top + frame.windowPx / frame.rowPx) + MARGIN_ROWS, frame.rows);
  const furthest = Math.max(contentPx(frame) - frame.windowPx, 0);
  const at = Math.min(Math.max(scrollPx, 0), furthest);
  return { first: Math.min(first, end), end, topPx: at - (top - first) * frame.rowPx };
}
