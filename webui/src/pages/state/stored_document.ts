/**
 * The stored document in the lines that the broker writes, without parsing more than is looked at.
 *
 * Line 1 is the header; then each table begins a line with its name; the jobs come last, a few
 * hundred a line (docs/architecture.md). A line is split into its items only when somebody unfolds
 * it, so that a document of 64 MiB costs the tab little more than its bytes.
 */

/** One line as it is stored, or what of it lies inside its table. */
export interface Line {
  /** Counted from 1, as an editor shows it. */
  number: number;
  text: string;
  /** How many characters of the stored line come before `text`; absent: none. */
  offset?: number;
}

/** A table: its name, and the lines that hold its items. */
export interface Section {
  name: string;
  lines: Line[];
  chars: number;
}

export interface StoredDocument {
  /** Line 1; undefined where the document is not in the broker's own form. */
  header: Record<string, unknown> | undefined;
  sections: Section[];
  /** Every line as it is, for searching. */
  lines: Line[];
}

/** Where an item of a line begins and ends. */
export interface Item {
  start: number;
  end: number;
}

const NAME = /^("(?:[^"\\]|\\.)*"):/;
const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const OPENING = new Set([91, 123]);
const CLOSING = new Set([93, 125]);

/** Takes the text as it arrives, and keeps it as lines. */
export class DocumentReader {
  #rest: string[] = [];
  readonly #lines: Line[] = [];

  add(text: string): void {
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#rest.push(text.slice(start, end));
      this.#endLine();
      start = end + 1;
    }
    if (start < text.length) this.#rest.push(text.slice(start));
  }

  /** The document, after the last `add`. */
  finish(): StoredDocument {
    if (this.#rest.length > 0) this.#endLine();
    return arrange(this.#lines);
  }

  #endLine(): void {
    this.#lines.push({ number: this.#lines.length + 1, text: this.#rest.join("") });
    this.#rest = [];
  }
}

/**
 * The items of a list or of an object, `"name":value` each, as far as the text holds them: it may
 * begin or end between two items, and a bracket that closes the whole ends it.
 */
export function splitItems(text: string): Item[] {
  const items: Item[] = [];
  let depth = 0;
  let start = 0;
  let at = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (OPENING.has(code)) depth += 1;
    else if (CLOSING.has(code) && --depth < 0) break;
    else if (code === COMMA && depth === 0) {
      if (at > start) items.push({ start, end: at });
      start = at + 1;
    }
  }
  if (text.slice(start, at).trim() !== "") items.push({ start, end: Math.min(at, text.length) });
  return items;
}

/** How much deeper the end of the text lies than its beginning. */
function depthOf(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (OPENING.has(code)) depth += 1;
    else if (CLOSING.has(code)) depth -= 1;
  }
  return depth;
}

/** The place of the closing quote, for the one at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
  return text.length;
}

function arrange(lines: Line[]): StoredDocument {
  const header = parseHeader(lines[0]?.text ?? "");
  if (header === undefined) {
    return { header, sections: [measured("document", lines)], lines };
  }
  const sections: Section[] = [];
  for (let index = 1; index < lines.length; ) {
    const line = lines[index];
    const named = line && NAME.exec(line.text);
    if (line === undefined || named?.[1] === undefined) {
      index += 1;
      continue;
    }
    const name = String(JSON.parse(named[1]));
    const rest = line.text.slice(named[0].length);
    if (!/^[[{]/.test(rest)) {
      header[name] = JSON.parse(rest.replace(/,\s*$/, ""));
      index += 1;
      continue;
    }
    const end = endOfSection(lines, index, name === "jobs", rest);
    const first = { number: line.number, text: rest.slice(1), offset: named[0].length + 1 };
    const inside: Line[] = [first, ...lines.slice(index + 1, end)];
    sections.push(
      measured(
        name,
        inside.filter((one) => /[^\s,\]}]/.test(one.text)),
      ),
    );
    index = end;
  }
  return { header, sections, lines };
}

/** The index after the last line of a section. */
function endOfSection(lines: Line[], start: number, isLast: boolean, rest: string): number {
  if (isLast) return lines.length;
  let depth = depthOf(rest);
  let index = start + 1;
  for (; depth > 0 && index < lines.length; index++) depth += depthOf(lines[index]?.text ?? "");
  return index;
}

function measured(name: string, lines: Line[]): Section {
  return { name, lines, chars: lines.reduce((sum, line) => sum + line.text.length, 0) };
}

function parseHeader(text: string): Record<string, unknown> | undefined {
  try {
    const fields = JSON.parse(`${text.replace(/,\s*$/, "")}}`) as Record<string, unknown>;
    return "format" in fields ? fields : undefined;
  } catch {
    return undefined;
  }
}
