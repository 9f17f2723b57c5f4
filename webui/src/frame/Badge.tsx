/** Who leads and whether this tab is connected, in one line. */

import { addressOf } from "../connection/route.ts";
import { formatDuration } from "../figures/format.ts";
import { ticks } from "../live/clock.ts";
import { connection, leader, session, stats } from "../live/queue.ts";

export function Badge() {
  const state = connection.value;
  if (state.kind === "leading") {
    const address = leader.value?.brokerAddress || state.hello.brokerAddress;
    if (session.isSilent.value) return <Silent address={address} />;
    const epoch = stats.value?.epoch ?? leader.value?.epoch ?? state.hello.epoch;
    return (
      <p class="badge" data-state="leading">
        <span aria-hidden="true">●</span> leader <span class="badge-address">{address}</span>
        <span class="badge-epoch"> · epoch {epoch}</span>
      </p>
    );
  }
  const broker = addressOf(session.origin.value);
  if (state.kind === "connecting") {
    return (
      <p class="badge" data-state="connecting">
        <span aria-hidden="true">◌</span> connecting to {broker}
      </p>
    );
  }
  ticks.value;
  const seconds = Math.max(0, Math.ceil((state.retryAt - performance.now()) / 1_000));
  const shape = state.isLeaderless ? "▲" : "◌";
  const what = state.isLeaderless ? "no leader" : "reconnecting";
  return (
    <p class="badge" data-state={state.isLeaderless ? "leaderless" : "reconnecting"}>
      <span aria-hidden="true">{shape}</span> {what}, {broker} in {seconds} s
      <button type="button" class="quiet" onClick={() => session.retryNow()}>
        Try now
      </button>
    </p>
  );
}

/** Connected as far as the socket tells, but without an answer. */
function Silent({ address }: { address: string }) {
  ticks.value;
  return (
    <p class="badge" data-state="silent">
      <span aria-hidden="true">◌</span> {address} silent for {formatDuration(session.silenceMs)}
    </p>
  );
}
