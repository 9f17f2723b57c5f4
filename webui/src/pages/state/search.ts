/** Finds a text in the lines, a slice at a time, so that the tab stays awake. */

import type { Line } from "./stored_document.ts";

export const HITS_MAX = 200;
const SLICE_CHARS = 4_000_000;
const AROUND_CHARS = 60;

export interface Hit {
  line: number;
  /** Where in the line. */
  at: number;
  before: string;
  found: string;
  after: string;
}

/**
 * The first `HITS_MAX` places of `text`, in upper and lower case as written.
 *
 * @param rest what is done between slices; false ends the search early.
 */
export async function findText(
  lines: readonly Line[],
  text: string,
  rest: () => Promise<boolean>,
): Promise<Hit[]> {
  const hits: Hit[] = [];
  let chars = 0;
  for (const line of lines) {
    if (text === "" || hits.length >= HITS_MAX) break;
    let at = line.text.indexOf(text);
    for (; at >= 0 && hits.length < HITS_MAX; at = line.text.indexOf(text, at + text.length)) {
      const end = at + text.length;
      hits.push({
        line: line.number,
        at,
        before: line.text.slice(Math.max(at - AROUND_CHARS, 0), at),
        found: text,
        after: line.text.slice(end, end + AROUND_CHARS),
      });
    }
    chars += line.text.length;
    if (chars < SLICE_CHARS) continue;
    chars = 0;
    if (!(await rest())) break;
  }
  return hits;
}
