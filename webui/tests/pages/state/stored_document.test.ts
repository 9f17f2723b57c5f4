import { describe, expect, test } from "vitest";
import { DocumentReader, splitItems } from "../../../src/pages/state/stored_document.ts";

const DOCUMENT = `{"format":1,"broker":"127.0.0.1:8080","commitId":"1-6-8e84","paused":false,
"future":{"a":[1]},
"later":7,
"pausedTypes":[],
"clients":{"abc":{"answers":{"3":{"x":"}"}}},
"def":{"applied":[[1,1]]}},
"jobs":[
{"id":"a","payload":"],}\\\\"},{"id":"b"},
{"id":"c"}
]}
`;

function read(text: string, pieceChars: number) {
  const reader = new DocumentReader();
  for (let at = 0; at < text.length; at += pieceChars) reader.add(text.slice(at, at + pieceChars));
  return reader.finish();
}

describe("a document as the broker writes it", () => {
  test.each([1, 7, 1_000])("is the same in pieces of %i characters", (pieceChars) => {
    const { header, sections, lines } = read(DOCUMENT, pieceChars);
    expect(header).toMatchObject({ format: 1, commitId: "1-6-8e84", later: 7 });
    expect(sections.map(({ name }) => name)).toEqual(["future", "pausedTypes", "clients", "jobs"]);
    expect(lines.length).toBe(10);
    expect(lines[0]?.text.startsWith('{"format"')).toBe(true);
  });

  test("keeps the lines of a table together, with their numbers", () => {
    const { sections } = read(DOCUMENT, 1_000);
    const lines = sections.map((section) => section.lines.map((line) => line.number));
    expect(lines).toEqual([[2], [], [5, 6], [8, 9]]);
  });

  test("an entry that looks like a table is none", () => {
    const clients = read(DOCUMENT, 1_000).sections[2];
    expect(clients?.lines.flatMap((line) => splitItems(line.text)).length).toBe(2);
  });
});

test("a document that was reformatted by hand is shown as its lines", () => {
  const { header, sections } = read('{\n  "format": 1,\n  "jobs": []\n}\n', 1_000);
  expect(header).toBeUndefined();
  expect(sections).toMatchObject([{ name: "document", lines: { length: 4 } }]);
});

describe("splitting a line into its items", () => {
  test.each([
    ["", []],
    ['{"a":1},{"b":2},', ['{"a":1}', '{"b":2}']],
    ['{"a":"},{"},[1,2]', ['{"a":"},{"}', "[1,2]"]],
    ['"a":{"b":[]},"c":1}},', ['"a":{"b":[]}', '"c":1']],
    ['{"a":"\\\\"},{"b":"\\""}', ['{"a":"\\\\"}', '{"b":"\\""}']],
    ['{"a":"unfinished', ['{"a":"unfinished']],
  ])("%s", (text, expected) => {
    expect(splitItems(text).map(({ start, end }) => text.slice(start, end))).toEqual(expected);
  });
});
