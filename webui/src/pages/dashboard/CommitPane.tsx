/** The one object that holds the queue: its commits, its size, what it costs. */

import type { Stats } from "../../connection/results.ts";
import { formatCount, formatDollars, shortenCommit } from "../../figures/format.ts";
import { dollarsAMonth } from "../../figures/price.ts";
import { type Past, recentRate } from "../../live/past.ts";
import { past, stats } from "../../live/queue.ts";
import { Panel } from "../../parts/Panel.tsx";
import { CommitStrip, describeCommit } from "./CommitStrip.tsx";

const RATE_SECONDS = 60;
/** What a broker has written in its first seconds tells nothing of a month. */
const RATE_SECONDS_LEAST = 10;

export function CommitPane() {
  const now = stats.value;
  const { commits } = past.value;
  const newest = commits.at(-1) ?? now?.lastCommit;
  const commitId = newest?.commitId ?? now?.commitId ?? "";
  return (
    <Panel title="One file" aside={<Price now={now} past={past.value} />} class="commit-pane">
      <CommitStrip commits={commits} />
      <div class="commit-figures">
        <p>
          <span class="id" title={commitId}>
            {commitId === "" ? "no commit yet" : shortenCommit(commitId)}
          </span>
          {newest !== undefined && ` · ${describeCommit(newest)}`}
        </p>
        {now !== undefined && <StoreFigures now={now} />}
      </div>
    </Panel>
  );
}

function StoreFigures({ now: { storage } }: { now: Stats }) {
  const { conflicts = 0, unknownOutcomes = 0 } = storage;
  return (
    <dl class="figures">
      <Figure name="writes" value={formatCount(storage.writes)} />
      <Figure name="reads" value={formatCount(storage.reads)} />
      <Figure name="conflicts" value={formatCount(conflicts)} isBad={conflicts > 0} />
      <Figure name="unknown" value={formatCount(unknownOutcomes)} isBad={unknownOutcomes > 0} />
    </dl>
  );
}

function Figure({ name, value, isBad }: { name: string; value: string; isBad?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd data-tone={isBad === true ? "dead" : undefined}>{value}</dd>
    </div>
  );
}

/** On a bucket what it costs, elsewhere what it would cost on one. */
function Price({ now, past }: { now: Stats | undefined; past: Past }) {
  if (now === undefined) return null;
  const store = now.storage.description ?? "";
  if (past.times.length < RATE_SECONDS_LEAST) return <p class="quiet-text">{store}</p>;
  const writes =
    recentRate(past, "commits", RATE_SECONDS) +
    recentRate(past, "conflicts", RATE_SECONDS) +
    recentRate(past, "unknownOutcomes", RATE_SECONDS);
  const dollars = formatDollars(dollarsAMonth(writes, 0));
  const isBucket = /^(s3|gs|gcs):/.test(store);
  const explanation = `${writes.toFixed(2)} writes a second over the last minute, at $0.005 a thousand`;
  return (
    <p class="quiet-text" title={explanation}>
      {store} · <strong>{dollars}</strong>{" "}
      {isBucket ? "a month at this rate" : "a month on S3, at this rate"}
    </p>
  );
}
