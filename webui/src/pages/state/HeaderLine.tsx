/** Line 1 as it is stored; each field says what it is when it is pointed at or focused. */

import { useState } from "preact/hooks";
import type { Json } from "../../connection/results.ts";
import { formatDateTime } from "../../figures/format.ts";
import { formatJsonLine } from "../../figures/json.ts";
import { HEADER_FIELDS, UNKNOWN_FIELD } from "./header_fields.ts";

export function HeaderLine({ header }: { header: Record<string, unknown> | undefined }) {
  const [field, setField] = useState<string>();
  if (header === undefined) {
    return (
      <p class="notice">
        This document was reformatted: its lines are shown as they are. The next write gives it the
        broker's own form again.
      </p>
    );
  }
  return (
    <section class="panel state-header" aria-labelledby="header-title">
      <header>
        <h2 id="header-title">Line 1: the header</h2>
      </header>
      <p class="header-line">
        {"{"}
        {Object.entries(header).map(([name, value], index, all) => (
          <span key={name}>
            {/* A button cannot be broken over two lines. */}
            <span
              role="button"
              tabIndex={0}
              class="header-field"
              aria-describedby="header-meaning"
              aria-pressed={field === name}
              onMouseEnter={() => setField(name)}
              onFocus={() => setField(name)}
              onClick={() => setField(name)}
            >
              <span class="header-name">"{name}"</span>:{formatJsonLine(value as Json)}
            </span>
            {index < all.length - 1 && ","}
          </span>
        ))}
        {"}"}
      </p>
      <p id="header-meaning" class="header-meaning" aria-live="polite">
        {field === undefined ? (
          <span class="quiet-text">
            Point at a field, or step to it with Tab, to read what it means.
          </span>
        ) : (
          <>
            <strong>{field}</strong> {meaningOf(field, header[field])}
          </>
        )}
      </p>
    </section>
  );
}

function meaningOf(field: string, value: unknown): string {
  const meaning = HEADER_FIELDS[field] ?? UNKNOWN_FIELD;
  return field === "brokerHeartbeat"
    ? `${meaning} Here: ${formatDateTime(Number(value))}.`
    : meaning;
}
