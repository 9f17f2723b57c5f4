/** One job: where it stands, what happened, what it carries, and what can be done. */

import { useState } from "preact/hooks";
import type { Changed, Job, JobError } from "../../connection/results.ts";
import { formatDateTime, formatDuration, formatTime } from "../../figures/format.ts";
import { useKeys } from "../../frame/useKeys.ts";
import { ticks } from "../../live/clock.ts";
import { act, brokerNow } from "../../live/queue.ts";
import { ActionButton } from "../../parts/ActionButton.tsx";
import { Confirmation } from "../../parts/Confirmation.tsx";
import { CopyButton } from "../../parts/CopyButton.tsx";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { JsonPane } from "../../parts/JsonPane.tsx";
import { Status } from "../../parts/Status.tsx";
import { Link } from "../../router/Link.tsx";
import { addressWith } from "../../router/router.ts";
import { type Action, CANCEL, DELETE, RETRY } from "./bulk.ts";
import { type Step, stepsOf } from "./timeline.ts";
import { useJob, type Watched } from "./useJob.ts";

export function JobView({ id, onGone }: { id: string; onGone: () => void }) {
  const watched = useJob(id);
  const { job, problem } = watched;
  if (job === undefined) {
    if (problem === undefined) return <p class="quiet-text">loading…</p>;
    return (
      <EmptyState title={problem.tag === "JobNotFound" ? "There is no such job" : problem.message}>
        It has ended and was not kept, or it never was.{" "}
        <Link to={addressWith("/jobs", { text: id })}>Look for it in all jobs</Link>
      </EmptyState>
    );
  }
  return (
    <div class="job-view">
      <StatusLine watched={watched} job={job} />
      <Actions key={id} watched={watched} job={job} onGone={onGone} />
      <Facts job={job} />
      <section aria-label="What happened">
        <h2>Attempts</h2>
        <Timeline job={job} isEnded={watched.ended !== undefined} />
      </section>
      <div class="job-panes">
        <JsonPane title="Payload" value={job.payload} absent="no payload" />
        <JsonPane title="Result" value={job.result} absent={resultWords(job)} />
      </div>
    </div>
  );
}

function StatusLine({ watched, job }: { watched: Watched; job: Job }) {
  ticks.value;
  return (
    <p class="job-status">
      <Status status={watched.ended ?? job.status} />
      <span class="job-type">{job.type || "no type"}</span>
      <span class="quiet-text">{watched.ended === undefined ? standing(job) : "not kept"}</span>
    </p>
  );
}

/** Where it stands, in a few words that stay true while time goes on. */
function standing(job: Job): string {
  const now = brokerNow();
  switch (job.status) {
    case "in_progress":
      return job.startedAt === undefined ? "" : `for ${formatDuration(now - job.startedAt)}`;
    case "unclaimed":
      return `for ${formatDuration(now - (job.readyAt ?? job.createdAt))}`;
    case "scheduled": {
      const inMs = (job.runAt ?? now) - now;
      return inMs > 0 ? `in ${formatDuration(inMs)}` : "due now";
    }
    default:
      return job.endedAt === undefined ? "" : `${formatDuration(now - job.endedAt)} ago`;
  }
}

function Actions({ watched, job, onGone }: { watched: Watched; job: Job; onGone: () => void }) {
  const [asked, setAsked] = useState<Action>();
  const isThere = watched.ended === undefined;
  const can = (action: Action) => isThere && action.fits.has(job.status);
  const retry = () => act("retryJob", { jobId: job.id });
  useKeys([{ keys: "c", what: "Cancel", act: () => can(CANCEL) && setAsked(CANCEL) }]);
  const isCancelled = job.cancelRequested === true && job.status === "in_progress";
  return (
    <div class="job-actions">
      {can(RETRY) && (
        <ActionButton act={retry} hotkey={{ keys: "r", what: "Retry, or run now" }}>
          {job.status === "dead" ? "Retry" : "Run now"}
        </ActionButton>
      )}
      {can(CANCEL) && !isCancelled && (
        <button type="button" onClick={() => setAsked(CANCEL)}>
          Cancel
        </button>
      )}
      {can(DELETE) && (
        <button type="button" onClick={() => setAsked(DELETE)}>
          Delete
        </button>
      )}
      {isCancelled && <span class="quiet-text">Its worker is asked to stop.</span>}
      {asked !== undefined && (
        <Confirmation
          question={`${asked.verb} 1 job?`}
          detail={asked.detail}
          verb={`${asked.verb} 1 job`}
          isDangerous={asked.isDangerous}
          act={async () => {
            await act<Changed>(asked.method, { jobIds: [job.id] });
            watched.lookAgain();
            if (asked === DELETE) onGone();
          }}
          onClose={() => setAsked(undefined)}
        />
      )}
    </div>
  );
}

function Facts({ job }: { job: Job }) {
  const facts: [string, preact.ComponentChildren][] = [
    [
      "Id",
      <>
        <span class="id">{job.id}</span> <CopyButton text={() => job.id} what="the id" />
      </>,
    ],
    ["Attempts", `${job.attempts} of ${job.maxAttempts}`],
    ["Submitted", formatDateTime(job.createdAt)],
  ];
  if (job.workerId !== undefined && job.status === "in_progress")
    facts.push(["Held by", <Holder job={job} />]);
  if (job.priority) facts.push(["Priority", String(job.priority)]);
  if (job.uniqueKey) facts.push(["Unique key", <span class="id">{job.uniqueKey}</span>]);
  if (job.runAt && job.status === "scheduled") facts.push(["Runs at", formatDateTime(job.runAt)]);
  if (job.resultTtlMs) facts.push(["Result kept", formatDuration(job.resultTtlMs)]);
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Holder({ job }: { job: Job }) {
  ticks.value;
  const beat = job.heartbeat === undefined ? "" : `, last heartbeat ${ago(job.heartbeat)}`;
  const lease = job.leaseMs === undefined ? "" : `, lease ${formatDuration(job.leaseMs)}`;
  return (
    <>
      <Link class="id" to={addressWith("/jobs", { status: "in_progress", text: job.workerId })}>
        {job.workerId}
      </Link>
      {beat}
      {lease}
    </>
  );
}

function ago(at: number): string {
  return `${formatDuration(brokerNow() - at)} ago`;
}

function Timeline({ job, isEnded }: { job: Job; isEnded: boolean }) {
  ticks.value;
  const steps = stepsOf(job, brokerNow());
  return (
    <ol class="timeline">
      {(isEnded ? steps.slice(0, -1) : steps).map((step, index) => (
        <li key={`${index} ${step.what}`} data-tone={step.tone}>
          <span class="step-time" title={step.at === undefined ? "" : formatDateTime(step.at)}>
            {step.at === undefined ? "" : formatTime(step.at)}
          </span>
          <div class="step-body">
            <StepLine step={step} />
            {step.error !== undefined && (
              <Failure error={step.error} isOpen={step.error === job.errors?.at(-1)} />
            )}
          </div>
        </li>
      ))}
    </ol>
  );
}

function StepLine({ step }: { step: Step }) {
  return (
    <p>
      <strong>{step.what}</strong> <span class="quiet-text">{step.detail}</span>
    </p>
  );
}

/** An error, folded to its first line; the newest one is open. */
function Failure({ error, isOpen }: { error: JobError; isOpen: boolean }) {
  const first = error.message.split("\n", 1)[0] ?? "";
  const text = error.traceback ?? error.message;
  return (
    <details class="failure" open={isOpen}>
      <summary>
        {error.type && <strong>{error.type}</strong>} {first}
      </summary>
      <div class="traceback">
        <CopyButton text={() => text} what={`the traceback of attempt ${error.attempt}`} />
        <pre tabIndex={0}>{text}</pre>
      </div>
    </details>
  );
}

function resultWords(job: Job): string {
  if (job.status === "completed") return "it returned nothing";
  return job.resultTtlMs ? "not yet" : "not kept: submit with resultTtlMs to keep it";
}
