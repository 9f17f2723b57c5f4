/** Looks for a text in the whole document, and leads to where it stands. */

import { useEffect, useState } from "preact/hooks";
import { formatCount } from "../../figures/format.ts";
import type { Place } from "./Sections.tsx";
import { findText, HITS_MAX, type Hit } from "./search.ts";
import type { Line } from "./stored_document.ts";

const TYPING_MS = 200;
const FIELD_ID = "state-search";

/** For the key `/`. */
export function focusSearch(): void {
  document.getElementById(FIELD_ID)?.focus();
}

export function Search({ lines, onGo }: { lines: Line[]; onGo: (place: Place) => void }) {
  const [text, setText] = useState("");
  const [hits, setHits] = useState<Hit[]>();
  useEffect(() => {
    setHits(undefined);
    if (text === "") return undefined;
    let isWanted = true;
    const nextFrame = () =>
      new Promise<boolean>((resolve) => requestAnimationFrame(() => resolve(isWanted)));
    const timer = setTimeout(() => {
      void findText(lines, text, nextFrame).then((found) => {
        if (isWanted) setHits(found);
      });
    }, TYPING_MS);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [text, lines]);
  return (
    <search class="state-search">
      <input
        id={FIELD_ID}
        type="search"
        aria-label="Search the document"
        placeholder="Search the document"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          const first = hits?.[0];
          if (event.key === "Enter" && first !== undefined)
            onGo({ line: first.line, at: first.at });
        }}
      />
      {text !== "" && (
        <p class="quiet-text" role="status">
          {describe(hits)}
        </p>
      )}
      {hits !== undefined && hits.length > 0 && (
        <ol class="hits" aria-label="Places found">
          {hits.map((hit) => (
            <li key={`${hit.line} ${hit.at}`}>
              <button
                type="button"
                class="hit"
                onClick={() => onGo({ line: hit.line, at: hit.at })}
              >
                <span class="hit-line">line {formatCount(hit.line)}</span>
                <span class="hit-text">
                  {hit.before}
                  <mark>{hit.found}</mark>
                  {hit.after}
                </span>
              </button>
            </li>
          ))}
        </ol>
      )}
    </search>
  );
}

function describe(hits: Hit[] | undefined): string {
  if (hits === undefined) return "searching…";
  if (hits.length === 0) return "not found (upper and lower case count)";
  if (hits.length >= HITS_MAX) return `the first ${HITS_MAX} places`;
  return hits.length === 1 ? "1 place" : `${hits.length} places`;
}
