/** One of the large numbers; it leads to the list behind it. */

import { isLive } from "../live/queue.ts";
import { Link } from "../router/Link.tsx";
import { Count } from "./Count.tsx";

interface Given {
  name: string;
  count: number | undefined;
  /** The small line below: an age, a rate, a type. */
  detail: string;
  to: string;
  /** Colours the number; only where something is wrong or moving. */
  tone?: "running" | "dead" | undefined;
}

export function Tile({ name, count, detail, to, tone }: Given) {
  return (
    <Link to={to} class="tile">
      <span class="tile-name">{name}</span>
      <span class="tile-count" data-tone={tone} data-stale={!isLive.value}>
        {count === undefined ? "–" : <Count value={count} />}
      </span>
      <span class="tile-detail">{detail}</span>
    </Link>
  );
}
