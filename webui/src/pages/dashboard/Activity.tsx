/** What has just happened. While you read, rows keep their place and the new ones are counted. */

import { useEffect, useRef, useState } from "preact/hooks";
import { formatCount, formatDuration, formatTime } from "../../figures/format.ts";
import { activity, type Deed, describeChange } from "../../live/activity.ts";
import { stats } from "../../live/queue.ts";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { JobLink } from "../../parts/JobLink.tsx";
import { Panel } from "../../parts/Panel.tsx";
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
  return (
    <div class="table-frame">
      <table aria-label="Activity" class="activity">
        <thead class="spoken">
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Worker</th>
            <th scope="col">What happened</th>
            <th scope="col">Type</th>
            <th scope="col">Job</th>
            <th scope="col">Took</th>
          </tr>
        </thead>
        <tbody>
          {deeds.map((deed) => (
            <Row key={deed.number} deed={deed} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ deed }: { deed: Deed }) {
  const { verb, tone } = describeChange(deed);
  const hasEnded = deed.status !== "in_progress" && deed.startedAt !== undefined;
  return (
    <tr>
      <td class="quiet-text">{formatTime(deed.at)}</td>
      <td data-kind="id" data-secondary="true" class="ellipsis">
        {deed.workerId !== undefined && (
          <Link to={addressWith("/jobs", { text: deed.workerId })}>{deed.workerId}</Link>
        )}
      </td>
      <td data-tone={tone} class="ellipsis">
        {verb}
        {deed.errorType !== undefined && `: ${deed.errorType}`}
      </td>
      <td class="ellipsis">{deed.type}</td>
      <td>
        <JobLink id={deed.id} />
      </td>
      <td data-kind="number">
        {hasEnded && formatDuration(deed.at - (deed.startedAt ?? deed.at))}
      </td>
    </tr>
  );
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
