/** The five numbers. Each leads to the jobs that it counts. */

import type { Stats } from "../../connection/results.ts";
import { formatAge, formatCount, formatRate } from "../../figures/format.ts";
import { ticks } from "../../live/clock.ts";
import { recentRate } from "../../live/past.ts";
import { brokerNow, past, stats } from "../../live/queue.ts";
import { Tile } from "../../parts/Tile.tsx";

export function Counts() {
  const now = stats.value;
  ticks.value;
  const running = now?.inProgress ?? 0;
  const hasNobody = now !== undefined && now.workers === 0 && now.unclaimed > 0;
  return (
    <div class="tiles">
      <Tile
        name="Waiting"
        count={now?.unclaimed}
        detail={now ? describeOldest(now) : ""}
        to="/jobs?status=unclaimed"
      />
      <Tile
        name="Running"
        count={now?.inProgress}
        detail={now ? describeWorkers(now.workers) : ""}
        to="/jobs?status=in_progress"
        tone={hasNobody ? "dead" : running > 0 ? "running" : undefined}
      />
      <Tile
        name="Scheduled"
        count={now?.scheduled}
        detail={now ? describeNext(now) : ""}
        to="/jobs?status=scheduled"
      />
      <Tile
        name="Dead"
        count={now?.dead}
        detail={now ? describeDead(now) : ""}
        to="/dead"
        tone={(now?.dead ?? 0) > 0 ? "dead" : undefined}
      />
      <Tile
        name="Done"
        count={now?.completedTotal}
        detail={formatRate(recentRate(past.value, "completed"))}
        to="/jobs?status=completed"
      />
    </div>
  );
}

function describeOldest(now: Stats): string {
  if (!now.oldestUnclaimedAt) return "none waits";
  return `oldest ${formatAge(brokerNow() - now.oldestUnclaimedAt)}`;
}

function describeWorkers(count: number): string {
  if (count === 0) return "no workers";
  return count === 1 ? "1 worker" : `${formatCount(count)} workers`;
}

function describeNext(now: Stats): string {
  if (!now.nextRunAt) return "none to come";
  const left = now.nextRunAt - brokerNow();
  return left <= 0 ? "next is due" : `next in ${formatAge(left)}`;
}

function describeDead(now: Stats): string {
  const most = now.deadByType?.[0];
  return most === undefined ? "none" : `${most.type || "no type"} ${formatCount(most.count)}`;
}
