/** What has just happened. While you read, rows keep their place and the new ones are counted. */

import { useEffect, useRef, useState } from "preact/hooks";
import { formatCount, formatDuration, formatTime } from "../../figures/format.ts";
import { activity, type Deed, describeChange } from "../../live/activity.ts";
import { stats } from "../../live/queue.ts";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { JobLink } from "../../parts/JobLink.tsx";
import { Panel } from "../../parts/Panel.tsx";
import { type Column, Table } from "../../parts/Table.tsx";
import { Link } from "../../router/Link.tsx";
import { addressWith } from "../../router/router.ts";

const SHOWN = 12;
/** A list that moves faster than this cannot be read. */
const PAUSE_MS = 1_000;

export function Activity() {
  const [shown, setShown] = useState<readonly Deed[]>(() => activity.peek());
  const [isReading, setReading] = useState(false);
  const shownAt = useRef(0);
  const all = activity.value;
  const newest = shown[0]?.number ?? 0;
  const fresh = isReading ? all.filter((deed) => deed.number > newest).length : 0;

  useEffect(() => {
    if (isReading) return undefined;
    const wait = Math.max(0, shownAt.current + PAUSE_MS - performance.now());
    const timer = setTimeout(() => {
      shownAt.current = performance.now();
      setShown(activity.peek());
    }, wait);
    return () => clearTimeout(timer);
  }, [all, isReading]);

  return (
    <Panel
      title="Activity"
      aside={
        fresh > 0 && (
          <button type="button" class="small" onClick={() => setShown(all)}>
            {formatCount(fresh)} new
          </button>
        )
      }
    >
      <div
        class="activity"
        onPointerEnter={() => setReading(true)}
        onPointerLeave={() => setReading(false)}
        onFocusIn={() => setReading(true)}
        onFocusOut={() => setReading(false)}
      >
        {shown.length === 0 ? <Nothing /> : <Rows deeds={shown.slice(0, SHOWN)} />}
      </div>
    </Panel>
  );
}

function Rows({ deeds }: { deeds: readonly Deed[] }) {
  return <Table label="Activity" columns={COLUMNS} rows={deeds} keyOf={(deed) => deed.number} />;
}

const COLUMNS: readonly Column<Deed>[] = [
  {
    name: "Time",
    width: 76,
    cell: (deed) => <span class="quiet-text">{formatTime(deed.at)}</span>,
  },
  {
    name: "Worker",
    kind: "id",
    width: 120,
    isSecondary: true,
    cell: ({ workerId }) =>
      workerId !== undefined && (
        <Link data-preview to={addressWith("/jobs", { text: workerId })} title={workerId}>
          {workerId}
        </Link>
      ),
  },
  { name: "What", width: 92, cell: (deed) => <What deed={deed} /> },
  {
    name: "Type",
    cell: (deed) => (
      <span data-preview title={deed.type}>
        {deed.type}
      </span>
    ),
  },
  { name: "Job", width: 92, cell: (deed) => <JobLink id={deed.id} /> },
  { name: "Took", kind: "number", width: 64, isSecondary: true, cell: describeDuration },
];

function What({ deed }: { deed: Deed }) {
  const { verb, tone } = describeChange(deed);
  return (
    <span data-tone={tone} title={deed.errorType}>
      {verb}
    </span>
  );
}

function describeDuration({ status, startedAt, at }: Deed): string {
  const hasEnded = status !== "in_progress" && startedAt !== undefined;
  return hasEnded ? formatDuration(at - startedAt) : "";
}

function Nothing() {
  const total = stats.value?.total ?? 0;
  if (total > 0) {
    return <EmptyState title="Nothing has happened since this tab was opened" />;
  }
  return (
    <EmptyState title="No jobs yet">
      Open <Link to="/producer">Producer</Link> in another tab, or run{" "}
      <code>osqueue submit TYPE PAYLOAD</code>.
    </EmptyState>
  );
}
