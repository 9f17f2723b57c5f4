/** What became of the submits of this tab: how many, how fast, which ids, which errors. */

import {
  formatCount,
  formatDuration,
  formatJobs,
  formatTime,
  shortenCommit,
} from "../../figures/format.ts";
import { Count } from "../../parts/Count.tsx";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { JobLink } from "../../parts/JobLink.tsx";
import { Panel } from "../../parts/Panel.tsx";
import {
  failedCount,
  percentiles,
  type Submission,
  submissions,
  submittedCount,
} from "./producing.ts";

export function Outcomes() {
  const { p50, p99 } = percentiles.value;
  return (
    <Panel title="What happened">
      <dl class="numbers">
        <Total name="Submitted">
          <Count value={submittedCount.value} />
        </Total>
        <Total name="p50 to durable">{p50 === undefined ? "–" : formatDuration(p50)}</Total>
        <Total name="p99">{p99 === undefined ? "–" : formatDuration(p99)}</Total>
        <Total name="Failed" isBad={failedCount.value > 0}>
          <Count value={failedCount.value} />
        </Total>
      </dl>
      {submissions.value.length === 0 ? (
        <EmptyState title="Nothing submitted yet">
          Each submit is listed here with its ids, the time until it was durable, and the commit
          that holds it.
        </EmptyState>
      ) : (
        <ol class="submissions">
          {submissions.value.slice(0, 14).map((row) => (
            <Row key={row.number} row={row} />
          ))}
        </ol>
      )}
    </Panel>
  );
}

function Total({ name, isBad, children }: { name: string; isBad?: boolean; children: unknown }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd data-tone={isBad === true ? "dead" : undefined}>{children as string}</dd>
    </div>
  );
}

function Row({ row }: { row: Submission }) {
  const [first] = row.jobIds;
  return (
    <li>
      <span class="quiet-text">{formatTime(row.at)}</span>
      <span>
        {first !== undefined && <JobLink id={first} />}
        {row.jobIds.length > 1 && ` and ${formatCount(row.jobIds.length - 1)} more`}
      </span>
      <State row={row} />
    </li>
  );
}

function State({ row }: { row: Submission }) {
  if (row.state === "committing") return <span class="quiet-text">committing…</span>;
  if (row.state === "failed") return <span class="problem">✕ {row.problem}</span>;
  const duplicates = row.duplicates ?? 0;
  return (
    <span>
      ✓ {formatDuration(row.latencyMs ?? 0)}
      {duplicates > 0 && `, ${formatJobs(duplicates)} there already`}
      {row.commitId !== undefined && (
        <span class="quiet-text" title={`durable in ${row.commitId}, or just before it`}>
          {" "}
          commit <span class="id">{shortenCommit(row.commitId)}</span>
        </span>
      )}
    </span>
  );
}
