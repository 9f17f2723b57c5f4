/** The filter: a status, a type, a text. It is the address, so a link carries it. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { JobStatus } from "../../connection/results.ts";
import { stats } from "../../live/queue.ts";
import { knownTypes } from "../../live/types.ts";
import { type Chip, Chips } from "../../parts/Chips.tsx";
import { setQuery, stepQuery } from "../../router/router.ts";
import type { View } from "./filter.ts";

const TYPING_MS = 250;
const FIELD_ID = "job-text";
const TYPES_ID = "job-types";

/** For the key `/`. */
export function focusFilter(): void {
  document.getElementById(FIELD_ID)?.focus();
}

export function FilterBar({ view }: { view: View }) {
  const { status, type, text, errorType, errorMessage } = view.filter;
  const now = stats.value;
  const chips: Chip<JobStatus | "">[] = [
    { value: "", name: "All", count: now?.total },
    { value: "unclaimed", name: "Waiting", count: now?.unclaimed },
    { value: "in_progress", name: "Running", count: now?.inProgress },
    { value: "scheduled", name: "Scheduled", count: now?.scheduled },
    { value: "dead", name: "Dead", count: now?.dead },
    { value: "completed", name: "Done, kept", count: now?.completed },
  ];
  return (
    <form class="filter-bar" role="search" onSubmit={(event) => event.preventDefault()}>
      <Chips
        label="Status"
        chips={chips}
        chosen={status ?? ""}
        onChoose={(value) => stepQuery({ status: value })}
      />
      <Field label="Type" name="type" value={type ?? ""} placeholder="Type" list={TYPES_ID} />
      <datalist id={TYPES_ID}>
        {knownTypes.value.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <Field
        id={FIELD_ID}
        label="Id or text"
        name="text"
        value={text ?? ""}
        placeholder="Id or text"
      />
      {(errorType !== undefined || errorMessage !== undefined) && (
        <button
          type="button"
          class="chip"
          aria-label="Show jobs with any error"
          onClick={() => setQuery({ errorType: undefined, errorMessage: undefined })}
        >
          {[errorType, errorMessage].filter(Boolean).join(": ")} ✕
        </button>
      )}
    </form>
  );
}

interface Given {
  id?: string;
  label: string;
  name: string;
  value: string;
  placeholder: string;
  /** The id of a list of suggestions. */
  list?: string;
}

/** A field that waits until the typing pauses. */
function Field({ id, label, name, value, placeholder, list }: Given) {
  const [typed, setTyped] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const commit = (text: string) => {
    clearTimeout(timer.current);
    setQuery({ [name]: text });
  };
  useEffect(() => setTyped(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <input
      id={id}
      {...(list === undefined ? {} : { list })}
      type="search"
      aria-label={label}
      placeholder={placeholder}
      value={typed}
      autocomplete="off"
      spellcheck={false}
      onInput={(event) => {
        const text = event.currentTarget.value;
        setTyped(text);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => commit(text), TYPING_MS);
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter") commit(event.currentTarget.value);
      }}
    />
  );
}
