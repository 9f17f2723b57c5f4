/** Copies a text; says so on the button itself. */

import { useEffect, useState } from "preact/hooks";

const SHOWN_MS = 1_500;

interface Given {
  /** Made only when it is copied. */
  text: () => string;
  /** What is copied, for screen readers: "the payload". */
  what: string;
}

export function CopyButton({ text, what }: Given) {
  const [outcome, setOutcome] = useState<"" | "Copied" | "Not copied">("");
  useEffect(() => {
    if (outcome === "") return undefined;
    const timer = setTimeout(() => setOutcome(""), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  return (
    <button
      type="button"
      class="quiet copy"
      aria-label={`Copy ${what}`}
      onClick={() => void copy(text()).then((done) => setOutcome(done ? "Copied" : "Not copied"))}
    >
      {outcome || "Copy"}
    </button>
  );
}

async function copy(text: string): Promise<boolean> {
  // Browsers offer the clipboard over https and on localhost only; a broker is often neither.
  if (navigator.clipboard !== undefined) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  return isDone;
}
