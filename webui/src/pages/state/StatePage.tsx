/** The document as committed: line 1 explained, the rest folded, all of it searchable. */

import { useEffect, useState } from "preact/hooks";
import { formatBytes, formatCount } from "../../figures/format.ts";
import { useKeys } from "../../frame/useKeys.ts";
import { connection, past, session, stats } from "../../live/queue.ts";
import { type Fetched, fetchDocument } from "./fetch_document.ts";
import { HeaderLine } from "./HeaderLine.tsx";
import { countNewer } from "./newer.ts";
import { focusSearch, Search } from "./Search.tsx";
import { type Place, Sections } from "./Sections.tsx";
import "./state.css";

export function StatePage() {
  const [fetched, setFetched] = useState<Fetched>();
  const [bytes, setBytes] = useState(0);
  const [problem, setProblem] = useState("");
  const [round, setRound] = useState(0);
  const [place, setPlace] = useState<Place>();
  const isLeading = connection.value.kind === "leading";
  useKeys([{ keys: "/", what: "Search", act: focusSearch }]);

  useEffect(() => {
    // Only what the leader has committed is the queue; it is asked once it is known.
    if (!isLeading || (fetched !== undefined && problem === "" && round === 0)) return undefined;
    const control = new AbortController();
    fetchDocument(session.origin.peek(), setBytes, control.signal).then(
      (next) => {
        setFetched(next);
        setProblem("");
        setPlace(undefined);
      },
      (error: Error) => {
        if (!control.signal.aborted) setProblem(error.message);
      },
    );
    return () => control.abort();
  }, [isLeading, round]);

  return (
    <section class="state-page" aria-labelledby="state-title">
      <header class="page-head">
        <div>
          <h1 id="state-title">The document</h1>
          <p class="quiet-text">{describe(fetched, bytes)}</p>
        </div>
        <p class="page-actions">
          <Newer fetched={fetched} onShow={() => setRound(round + 1)} />
          <a class="button" href={`${session.origin.value}/state`} download="queue.json">
            Download
          </a>
        </p>
      </header>
      {problem !== "" && (
        <p class="notice" data-kind="problem" role="alert">
          <strong>The document could not be read:</strong> {problem}
          <button type="button" onClick={() => setRound(round + 1)}>
            Try again
          </button>
        </p>
      )}
      {fetched !== undefined && (
        <>
          <Search lines={fetched.document.lines} onGo={setPlace} />
          <HeaderLine header={fetched.document.header} />
          <Sections sections={fetched.document.sections} place={place} />
        </>
      )}
    </section>
  );
}

function describe(fetched: Fetched | undefined, bytes: number): string {
  if (fetched === undefined) return bytes === 0 ? "loading…" : `loading… ${formatBytes(bytes)}`;
  const { document, isCut } = fetched;
  const size = `${formatBytes(fetched.bytes)} in ${formatCount(document.lines.length)} lines`;
  const end = isCut ? ", which is not all: download it for the rest" : "";
  return `queue.json as committed: ${size}${end}`;
}

/** How far what is shown lies behind. A heartbeat of the broker is nothing to look at. */
function Newer({ fetched, onShow }: { fetched: Fetched | undefined; onShow: () => void }) {
  const shown = fetched?.document.header?.commitId;
  const now = stats.value?.commitId;
  if (typeof shown !== "string" || now === undefined) return null;
  const count = countNewer(past.value.commits, shown, now);
  if (count === 0) return null;
  const what =
    count === undefined
      ? "Newer commits"
      : count === 1
        ? "1 newer commit"
        : `${formatCount(count)} newer commits`;
  return (
    <button type="button" class="chip" onClick={onShow}>
      {what} <span class="news-verb">Show</span>
    </button>
  );
}
