/** Dead letters, in groups that died of the same thing; to look at, and to try again. */

import { useState } from "preact/hooks";
import type { Changed, DeadGroup } from "../../connection/results.ts";
import { formatCount, formatDateTime, formatDuration, formatJobs } from "../../figures/format.ts";
import { ticks } from "../../live/clock.ts";
import { act, brokerNow } from "../../live/queue.ts";
import { Confirmation } from "../../parts/Confirmation.tsx";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { say } from "../../parts/LiveRegion.tsx";
import { Link } from "../../router/Link.tsx";
import { addressWith } from "../../router/router.ts";
import { followCursor } from "../jobs/bulk.ts";
import { countJobs, filterOf, keyOf } from "./groups.ts";
import { useDeadGroups } from "./useDeadGroups.ts";
import "./dead.css";

/** What a redrive was asked for. */
interface Asked {
  question: string;
  jobs: number;
  groups: readonly DeadGroup[] | "all";
}

export function DeadPage() {
  const { groups, total, problem } = useDeadGroups();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<Asked>();
  const [outcome, setOutcome] = useState("");

  if (problem !== undefined && groups === undefined) {
    return (
      <p class="notice" data-kind="problem" role="alert">
        {problem.message}
      </p>
    );
  }
  if (groups === undefined) return <p class="quiet-text">loading…</p>;
  const all = countJobs(groups);
  const picked = groups.filter((group) => chosen.has(keyOf(group)) && group.count > 0);
  const toggle = (key: string) => {
    const next = new Set(chosen);
    if (!next.delete(key)) next.add(key);
    setChosen(next);
  };
  return (
    <section class="dead-page" aria-labelledby="dead-title">
      <header class="page-head">
        <div>
          <h1 id="dead-title">Dead letters</h1>
          <p class="quiet-text">
            {all === 0
              ? "Jobs that used up their attempts, or failed for good, are kept here."
              : `${formatJobs(all)} in ${formatCount(total)} ${total === 1 ? "group" : "groups"}`}
          </p>
        </div>
        {all > 0 && (
          <p class="page-actions">
            {picked.length > 0 && (
              <button type="button" onClick={() => setAsked(ofGroups(picked))}>
                Redrive {formatJobs(countJobs(picked))}
              </button>
            )}
            <button type="button" onClick={() => setAsked(ofAll(all))}>
              Redrive all
            </button>
          </p>
        )}
      </header>
      {outcome !== "" && (
        <p class="notice">
          {outcome}
          <button type="button" class="quiet" aria-label="Close" onClick={() => setOutcome("")}>
            ✕
          </button>
        </p>
      )}
      {groups.length === 0 ? (
        <EmptyState title="No dead letters">
          A job comes here with its errors when its last attempt fails. In{" "}
          <Link to="/worker">Worker</Link> the failure rate makes some.
        </EmptyState>
      ) : (
        <Groups
          groups={groups}
          chosen={chosen}
          onToggle={toggle}
          onRedrive={(group) => setAsked(ofGroups([group]))}
        />
      )}
      {asked !== undefined && (
        <Confirmation
          question={asked.question}
          detail="They become claimable at once, oldest first, with one more attempt each. Jobs whose unique key is taken stay."
          verb={`Redrive ${formatJobs(asked.jobs)}`}
          act={async () => {
            const text = await redrive(asked.groups);
            setChosen(new Set());
            setOutcome(text);
            say(text);
          }}
          onClose={() => setAsked(undefined)}
        />
      )}
    </section>
  );
}

interface GroupsGiven {
  groups: readonly DeadGroup[];
  chosen: ReadonlySet<string>;
  onToggle: (key: string) => void;
  onRedrive: (group: DeadGroup) => void;
}

function Groups({ groups, chosen, onToggle, onRedrive }: GroupsGiven) {
  ticks.value;
  const now = brokerNow();
  return (
    <ul class="groups" aria-label="Groups of dead letters">
      {groups.map((group) => {
        const key = keyOf(group);
        const name = nameOf(group);
        return (
          <li key={key} class="group" data-ended={group.count === 0}>
            <label class="group-check">
              <input
                type="checkbox"
                aria-label={`Select ${name}`}
                checked={chosen.has(key)}
                disabled={group.count === 0}
                onChange={() => onToggle(key)}
              />
            </label>
            <span class="group-count">{formatCount(group.count)}</span>
            <div class="group-what">
              <p class="group-type">{group.type || "no type"}</p>
              <p class="group-error">
                {group.errorType && <strong>{group.errorType}</strong>}{" "}
                <span>{group.errorMessage || (group.errorType ? "" : "no error was told")}</span>
              </p>
            </div>
            <p
              class="group-when"
              title={`first ${formatDateTime(group.firstAt)}, last ${formatDateTime(group.lastAt)}`}
            >
              {formatDuration(now - group.lastAt)} ago
            </p>
            <p class="group-actions">
              <Link
                class="button"
                aria-label={`Open the jobs of ${name}`}
                to={addressWith("/jobs", { status: "dead", ...filterOf(group) })}
              >
                Open
              </Link>
              <button
                type="button"
                disabled={group.count === 0}
                aria-label={`Redrive ${name}`}
                onClick={() => onRedrive(group)}
              >
                Redrive
              </button>
            </p>
          </li>
        );
      })}
    </ul>
  );
}

function nameOf({ type, errorType, errorMessage }: DeadGroup): string {
  return [type || "no type", errorType, errorMessage].filter(Boolean).join(", ");
}

function ofAll(jobs: number): Asked {
  return { question: `Redrive all ${formatJobs(jobs)}?`, jobs, groups: "all" };
}

function ofGroups(groups: readonly DeadGroup[]): Asked {
  const jobs = countJobs(groups);
  const types = [...new Set(groups.map(({ type }) => type || "no type"))];
  const which = types.length === 1 ? ` of type ${types[0]}` : ` of ${types.length} types`;
  return { question: `Redrive ${formatJobs(jobs)}${which}?`, jobs, groups };
}

/** @throws QueueError: a request failed; those before it have done their part. */
async function redrive(groups: readonly DeadGroup[] | "all"): Promise<string> {
  const filters = groups === "all" ? [{}] : groups.map(filterOf);
  let count = 0;
  let skipped = 0;
  let commitId = "";
  for (const filter of filters) {
    const changed = await followCursor("redriveDead", filter, async (method, params) => {
      const done = await act<Changed>(method, params);
      commitId = done.commitId;
      return done.result;
    });
    count += changed.count;
    skipped += changed.skipped;
  }
  const left = skipped === 0 ? "" : ` ${formatJobs(skipped)} stayed: their unique keys are taken.`;
  return `Redrove ${formatJobs(count)} · commit ${commitId}.${left}`;
}
