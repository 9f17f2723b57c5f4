/** Who has led the queue, the present leader first: each row below it was a failover. */

import type { Takeover } from "../../connection/results.ts";
import { formatDateTime, formatDuration } from "../../figures/format.ts";
import { ticks } from "../../live/clock.ts";
import { brokerNow, past, stats } from "../../live/queue.ts";
import { Panel } from "../../parts/Panel.tsx";
import { type Column, Table } from "../../parts/Table.tsx";

const SHOWN = 5;

interface Term extends Takeover {
  /** When the next leader took over; absent of the present one. */
  until?: number | undefined;
  isPresent: boolean;
}

export function Leaders() {
  const terms = makeTerms(past.value.takeovers);
  if (terms.length === 0) return null;
  const interval = (stats.value?.heartbeatIntervalMs ?? 0) / 1_000;
  const timeout = (stats.value?.brokerTimeoutMs ?? 0) / 1_000;
  return (
    <Panel
      title="Leader and failovers"
      aside={
        timeout > 0 && (
          <p class="quiet-text">
            beats every {interval} s · a standby takes over after {timeout} s of silence
          </p>
        )
      }
    >
      <Table label="Leaders" columns={COLUMNS} rows={terms} keyOf={(term) => term.epoch} />
    </Panel>
  );
}

/** Newest first; a term ends where the next begins. */
export function makeTerms(takeovers: readonly Takeover[]): Term[] {
  return takeovers
    .map((takeover, index) => ({
      ...takeover,
      until: takeovers[index + 1]?.at,
      isPresent: index === takeovers.length - 1,
    }))
    .reverse()
    .slice(0, SHOWN);
}

const COLUMNS: readonly Column<Term>[] = [
  { name: "Epoch", width: 64, cell: (term) => term.epoch },
  { name: "Broker", kind: "id", cell: (term) => <Broker term={term} /> },
  {
    name: "Since",
    width: 180,
    isSecondary: true,
    cell: (term) => (term.at === undefined ? "before this leader" : formatDateTime(term.at)),
  },
  { name: "Led for", kind: "number", width: 110, cell: (term) => <LedFor term={term} /> },
];

/** Its address; where only its name is known, that. */
function Broker({ term }: { term: Term }) {
  const address = term.isPresent ? stats.value?.brokerAddress : term.brokerAddress;
  return (
    <span data-preview title={`broker ${term.brokerName}`}>
      {address || `broker ${term.brokerName}`}
    </span>
  );
}

function LedFor({ term }: { term: Term }) {
  ticks.value;
  if (term.at === undefined) return <>–</>;
  const until = term.isPresent ? brokerNow() : term.until;
  return <>{until === undefined ? "–" : formatDuration(until - term.at)}</>;
}
