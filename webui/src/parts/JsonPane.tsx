/** A JSON value, formatted and copyable; a long one is shown as far as a tab can bear. */

import { useState } from "preact/hooks";
import type { Json } from "../connection/results.ts";
import { formatBytes } from "../figures/format.ts";
import { formatJson } from "../figures/json.ts";
import { CopyButton } from "./CopyButton.tsx";

const SHOWN_CHARS_MAX = 20_000;

interface Given {
  title: string;
  value: Json | undefined;
  /** Instead of a value that is not there. */
  absent?: string;
}

export function JsonPane({ title, value, absent = "none" }: Given) {
  const [isWhole, setWhole] = useState(false);
  const text = value === undefined ? "" : formatJson(value);
  const isCut = text.length > SHOWN_CHARS_MAX && !isWhole;
  return (
    <section class="json-pane" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {text !== "" && <CopyButton text={() => text} what={`the ${title.toLowerCase()}`} />}
      </header>
      {text === "" ? (
        <p class="quiet-text">{absent}</p>
      ) : (
        // A scroller that the keyboard reaches.
        <pre tabIndex={0}>{isCut ? text.slice(0, SHOWN_CHARS_MAX) : text}</pre>
      )}
      {isCut && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {formatBytes(text.length)}
        </button>
      )}
    </section>
  );
}
