/** JSON as text for people, and text of people as JSON: with whole numbers kept exactly. */

import type { Json } from "../connection/results.ts";

/** Where a text stops being JSON, counted from 1 as editors do. */
export class JsonProblem extends Error {
  readonly line: number;
  readonly column: number;

  constructor(text: string, offset: number, what: string) {
    const before = text.slice(0, offset).split("\n");
    const line = before.length;
    const column = (before.at(-1)?.length ?? 0) + 1;
    super(`Line ${line}, column ${column}: ${what}`);
    this.line = line;
    this.column = column;
  }
}

/** Indented by two; a bigint is written as the number it is. */
export function formatJson(value: Json | undefined, indent = ""): string {
  if (value === undefined) return "";
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const items = value.map((item) => inner + formatJson(item, inner));
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  const fields = Object.entries(value).map(
    ([key, item]) => `${inner}${JSON.stringify(key)}: ${formatJson(item, inner)}`,
  );
  return fields.length === 0 ? "{}" : `{\n${fields.join(",\n")}\n${indent}}`;
}

/** On one line, for rows of a table. */
export function formatJsonLine(value: Json | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => formatJsonLine(item)).join(", ")}]`;
  const fields = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${formatJsonLine(item)}`,
  );
  return `{${fields.join(", ")}}`;
}

const DEPTH_MAX = 64;
const WHITE_SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const UINT64_MAX = 2n ** 64n - 1n;
const INT64_MIN = -(2n ** 63n);

/**
 * Reads a JSON text by the broker's rules for payloads.
 *
 * @throws JsonProblem: it is none; says where and what was expected.
 */
export function parseJson(text: string): Json {
  const reader = new JsonReader(text);
  const value = reader.value(1);
  reader.end();
  return value;
}

class JsonReader {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Json {
    this.#match(WHITE_SPACE);
    const char = this.#text[this.#offset];
    if (char === "{") return this.#object(depth);
    if (char === "[") return this.#array(depth);
    if (char === '"') return this.#string("a string");
    if (char === "-" || (char !== undefined && char >= "0" && char <= "9")) return this.#number();
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const) {
      if (!this.#text.startsWith(word, this.#offset)) continue;
      this.#offset += word.length;
      return value;
    }
    throw this.#problem(char === undefined ? "a value is missing" : `no value starts with ${char}`);
  }

  end(): void {
    this.#match(WHITE_SPACE);
    if (this.#offset < this.#text.length) throw this.#problem("something follows the value");
  }

  #object(depth: number): Json {
    this.#enter(depth);
    const fields: [string, Json][] = [];
    if (this.#skip("}")) return {};
    do {
      this.#match(WHITE_SPACE);
      const char = this.#text[this.#offset];
      if (char === "}" && fields.length > 0) throw this.#problem("no key follows the comma");
      if (char !== '"') throw this.#problem("a key in double quotes is missing");
      const key = this.#string("a key");
      if (!this.#skip(":")) throw this.#problem("a colon is missing");
      fields.push([key, this.value(depth + 1)]);
    } while (this.#skip(","));
    if (!this.#skip("}")) throw this.#problem("a comma or } is missing");
    return Object.fromEntries(fields);
  }

  #array(depth: number): Json {
    this.#enter(depth);
    const items: Json[] = [];
    if (this.#skip("]")) return items;
    do items.push(this.value(depth + 1));
    while (this.#skip(","));
    if (!this.#skip("]")) throw this.#problem("a comma or ] is missing");
    return items;
  }

  #enter(depth: number): void {
    if (depth > DEPTH_MAX) throw this.#problem(`nested deeper than ${DEPTH_MAX}`);
    this.#offset += 1;
  }

  #string(what: string): string {
    const literal = this.#match(STRING);
    if (literal === undefined) throw this.#problem(`${what} does not end, or has a wrong escape`);
    return JSON.parse(literal) as string;
  }

  #number(): number | bigint {
    const literal = this.#match(NUMBER);
    if (literal === undefined) throw this.#problem("no number looks like this");
    const number = Number(literal);
    if (Number.isSafeInteger(number) || /[.eE]/.test(literal)) {
      if (!Number.isFinite(number)) throw this.#problem("the number is too large");
      return number;
    }
    const whole = BigInt(literal);
    if (whole < INT64_MIN || whole > UINT64_MAX) throw this.#problem("beyond 64 bits");
    return whole;
  }

  /** Past white space and this character, if it comes next. */
  #skip(char: string): boolean {
    this.#match(WHITE_SPACE);
    if (this.#text[this.#offset] !== char) return false;
    this.#offset += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0];
    this.#offset += found?.length ?? 0;
    return found;
  }

  #problem(what: string): JsonProblem {
    return new JsonProblem(this.#text, this.#offset, what);
  }
}
