/** Who works: what each holds, and when it was last heard of. */

import { useEffect, useState } from "preact/hooks";
import type { WorkerView } from "../../connection/results.ts";
import { formatCount, formatRough } from "../../figures/format.ts";
import { ticks } from "../../live/clock.ts";
import { act, brokerNow, stats } from "../../live/queue.ts";
import { watchWorkers, workers, workersProblem } from "../../live/workers.ts";
import { Confirmation } from "../../parts/Confirmation.tsx";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { Panel } from "../../parts/Panel.tsx";
import { type Column, Table } from "../../parts/Table.tsx";
import { Link } from "../../router/Link.tsx";
import { addressWith } from "../../router/router.ts";

const SHOWN = 12;
/** A worker that is silent for longer than this has probably died: its jobs come back. */
const SILENT_MS = 15_000;

export function WorkerList() {
  useEffect(watchWorkers, []);
  const known = workers.value;
  const hidden = (known?.total ?? 0) - Math.min(known?.workers.length ?? 0, SHOWN);
  return (
    <Panel title="Workers" aside={<PauseButton />}>
      <Rows rows={known?.workers.slice(0, SHOWN)} />
      {hidden > 0 && <p class="quiet-text">and {formatCount(hidden)} more</p>}
    </Panel>
  );
}

function Rows({ rows }: { rows: readonly WorkerView[] | undefined }) {
  if (rows === undefined) {
    return <EmptyState title={workersProblem.value || "Asking the broker…"} />;
  }
  if (rows.length === 0) {
    return (
      <EmptyState title="No workers yet">
        Open <Link to="/worker">Worker</Link> in another tab, or run{" "}
        <code>osqueue worker FILE:worker</code>.
      </EmptyState>
    );
  }
  return <Table label="Workers" columns={COLUMNS} rows={rows} keyOf={(row) => row.workerId} />;
}

const COLUMNS: readonly Column<WorkerView>[] = [
  {
    name: "Worker",
    kind: "id",
    width: 120,
    cell: (row) => (
      <Link data-preview to={addressWith("/jobs", { text: row.workerId })} title={row.workerId}>
        {row.workerId}
      </Link>
    ),
  },
  { name: "Holds", cell: (row) => <Holds row={row} /> },
  {
    name: "Done",
    kind: "number",
    cell: (row) => formatCount(row.completed),
    isSecondary: true,
    width: 56,
  },
  {
    name: "Failed",
    kind: "number",
    cell: (row) => (
      <span data-tone={row.failed > 0 ? "dead" : undefined}>{formatCount(row.failed)}</span>
    ),
    isSecondary: true,
    width: 56,
  },
  { name: "Last beat", kind: "number", width: 104, cell: (row) => <Beat row={row} /> },
];

function Holds({ row }: { row: WorkerView }) {
  if (row.held === 0) {
    return <span class="quiet-text">{row.isPolling ? "waits for jobs" : "nothing"}</span>;
  }
  const counts = new Map<string, number>();
  for (const job of row.jobs) counts.set(job.type, (counts.get(job.type) ?? 0) + 1);
  const known = [...counts].map(([type, count]) => `${type || "no type"} ×${count}`).join(", ");
  const more = row.held - row.jobs.length;
  const named = more > 0 ? `${known} and ${formatCount(more)} more` : known;
  // How many stands first, where it is not cut.
  const all = counts.size > 1 || more > 0 ? `${formatCount(row.held)}: ${named}` : named;
  return (
    <span data-preview title={all}>
      {all}
    </span>
  );
}

function Beat({ row }: { row: WorkerView }) {
  ticks.value;
  const age = brokerNow() - row.lastSeenAt;
  const isSilent = age > SILENT_MS && !row.isPolling;
  return <span data-tone={isSilent ? "dead" : undefined}>{formatRough(age)} ago</span>;
}

/** What workers get is what pausing is about. */
function PauseButton() {
  const [isAsking, setAsking] = useState(false);
  if (stats.value === undefined || stats.value.paused) return null;
  return (
    <>
      <button type="button" class="small" onClick={() => setAsking(true)}>
        Pause queue
      </button>
      {isAsking && (
        <Confirmation
          question="Pause the queue?"
          detail="Submits go on and running jobs finish, but workers get no new jobs until you resume."
          verb="Pause"
          act={async () => void (await act("pauseQueue"))}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
