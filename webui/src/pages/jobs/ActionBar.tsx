/** What can be done with the selected jobs; each action asks first, and says how many. */

import { useEffect, useState } from "preact/hooks";
import { explain } from "../../connection/errors.ts";
import type { Changed, JobFilter } from "../../connection/results.ts";
import { formatCount, formatJobs } from "../../figures/format.ts";
import { act, ask } from "../../live/queue.ts";
import { Confirmation } from "../../parts/Confirmation.tsx";
import { say } from "../../parts/LiveRegion.tsx";
import { type Action, CANCEL, DELETE, goThrough, RETRY, type Target } from "./bulk.ts";
import { describeFilter } from "./filter.ts";
import type { JobList } from "./job_list.ts";
import { count, type Selection } from "./selection.ts";

interface Given {
  list: JobList | undefined;
  filter: JobFilter;
  selection: Selection;
  /** The action that was asked for, by a button or a key. */
  asked: Action | undefined;
  onAsk: (action: Action | undefined) => void;
  onRelease: () => void;
  /** It is durable. */
  onDone: (action: Action) => void;
}

interface Counted {
  action: Action;
  target: Target;
  fitting: number;
}

export function ActionBar({ list, filter, selection, asked, onAsk, onRelease, onDone }: Given) {
  const [counted, setCounted] = useState<Counted>();
  const [outcome, setOutcome] = useState("");
  const matching = list?.length ?? 0;
  const selected = count(selection, matching);
  const target: Target = selection.isAll ? { filter } : { jobIds: [...selection.ids] };

  useEffect(() => {
    if (asked === undefined || selected === 0) return;
    const method = asked.method;
    goThrough(method, target, (name, params) => ask<Changed>(name, params), { dryRun: true })
      .then(({ count: fitting }) => {
        if (fitting > 0) setCounted({ action: asked, target, fitting });
        else setOutcome(asked.only);
      })
      .catch((error: unknown) => setOutcome(explain(error)))
      .finally(() => onAsk(undefined));
  }, [asked]);
  useEffect(() => {
    if (selected > 0) setOutcome("");
  }, [selection]);

  async function carryOut({ action, target: whom }: Counted): Promise<void> {
    let commitId = "";
    const { count: changed } = await goThrough(action.method, whom, async (name, params) => {
      const done = await act<Changed>(name, params);
      commitId = done.commitId;
      return done.result;
    });
    const text = `${action.past} ${formatJobs(changed)} · commit ${commitId}`;
    say(text);
    onDone(action);
    setOutcome(text);
  }

  if (selected === 0 && outcome === "") return null;
  const name = selection.isAll
    ? `All ${list?.isWhole ? formatCount(matching) : ""} that match`
    : `${formatCount(selected)} selected`;
  return (
    <div class="action-bar" role="region" aria-label="Actions">
      {selected > 0 && (
        <>
          <strong>{name}</strong>
          {[RETRY, CANCEL, DELETE].map((action) => (
            <button
              key={action.method}
              type="button"
              disabled={asked !== undefined}
              onClick={() => onAsk(action)}
            >
              {asked === action ? "Counting…" : verbOf(action, list, selection)}
            </button>
          ))}
        </>
      )}
      {outcome !== "" && <span>{outcome}</span>}
      <button
        type="button"
        class="quiet action-close"
        aria-label={selected > 0 ? "Release the selection" : "Close"}
        onClick={() => {
          onRelease();
          setOutcome("");
        }}
      >
        ✕
      </button>
      {counted !== undefined && (
        <Confirmation
          question={`${counted.action.verb} ${formatJobs(counted.fitting)}?`}
          detail={detailOf(counted, selected, filter)}
          verb={`${counted.action.verb} ${formatJobs(counted.fitting)}`}
          isDangerous={counted.action.isDangerous}
          act={() => carryOut(counted)}
          onClose={() => setCounted(undefined)}
        />
      )}
    </div>
  );
}

/** A scheduled job is not retried but run now. */
function verbOf(action: Action, list: JobList | undefined, selection: Selection): string {
  if (action !== RETRY) return action.verb;
  const statuses = new Set<string | undefined>();
  if (selection.isAll) statuses.add(list?.view.filter.status);
  for (const id of selection.ids) {
    const place = list?.placeOf(id);
    const status = place === undefined ? undefined : list?.rowAt(place)?.status;
    if (status === undefined || RETRY.fits.has(status)) statuses.add(status);
  }
  if (statuses.size === 1 && statuses.has("scheduled")) return "Run now";
  return statuses.size === 1 && statuses.has("dead") ? "Retry" : "Retry, run now";
}

function detailOf(
  { action, target, fitting }: Counted,
  selected: number,
  filter: JobFilter,
): string {
  const parts = [action.detail];
  if ("filter" in target) {
    const which = describeFilter(filter);
    const all = filter.status === undefined ? "All jobs" : "All jobs that are";
    parts.unshift(which === "" ? "These are all there are." : `${all} ${which}.`);
  } else if (fitting < selected) {
    parts.push(`${formatCount(selected - fitting)} of the selected are left out. ${action.only}`);
  }
  return parts.join(" ");
}
