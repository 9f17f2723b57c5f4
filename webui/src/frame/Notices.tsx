/** What must be said about everything below it: a lost connection, a paused queue, a stopped page. */

import type { ConnectionState } from "../connection/session.ts";
import { formatCount, formatDuration } from "../figures/format.ts";
import { ticks } from "../live/clock.ts";
import {
  act,
  asideCount,
  connection,
  isLive,
  isPaused,
  stats,
  statsAt,
  togglePaused,
} from "../live/queue.ts";
import { ActionButton } from "../parts/ActionButton.tsx";

export function Notices() {
  return (
    <div class="notices">
      <Disconnected />
      <QueuePaused />
      <PagePaused />
    </div>
  );
}

function Disconnected() {
  const state = connection.value;
  if (isLive.value) return null;
  ticks.value;
  const age = statsAt.value === 0 ? undefined : performance.now() - statsAt.value;
  // A reconnect that succeeds at once is not worth a word.
  if (state.kind === "connecting" && (age ?? 0) < 2_000) return null;
  return (
    <p class="notice" data-kind="problem">
      <strong>{whyNotLive(state)}</strong>{" "}
      {age === undefined
        ? "Nothing is known about the queue yet."
        : `What you see is ${formatDuration(age)} old.`}
      {state.kind === "waiting" && state.elsewhere !== "" && (
        <>
          {" "}
          The leader is <a href={`${location.protocol}//${state.elsewhere}/`}>{state.elsewhere}</a>:
          open its page there, or name all brokers in PEER_URLS.
        </>
      )}
    </p>
  );
}

function whyNotLive(state: ConnectionState): string {
  if (state.kind === "waiting") return `Connection lost: ${state.why}.`;
  return state.kind === "leading" ? "The leader does not answer." : "Connecting.";
}

function QueuePaused() {
  const now = stats.value;
  if (now === undefined || (!now.paused && now.pausedTypes.length === 0)) return null;
  return (
    <p class="notice" data-kind="paused">
      <strong>
        {now.paused ? "The queue is paused" : `Paused: ${now.pausedTypes.join(", ")}`}
      </strong>
      : submits go on, workers get nothing.{" "}
      {now.paused && (
        <ActionButton act={() => act("resumeQueue")} doing="Resuming…">
          Resume
        </ActionButton>
      )}
      {now.pausedTypes.map((type) => (
        <ActionButton key={type} act={() => act("resumeQueue", { type })} doing="Resuming…">
          {`Resume ${type || "jobs without a type"}`}
        </ActionButton>
      ))}
    </p>
  );
}

function PagePaused() {
  if (!isPaused.value) return null;
  return (
    <p class="notice" data-kind="paused">
      <strong>This page stands still</strong> ({formatCount(asideCount.value)} updates wait).{" "}
      <button type="button" onClick={togglePaused}>
        Go on <kbd>.</kbd>
      </button>
    </p>
  );
}
