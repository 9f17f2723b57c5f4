/** The list of jobs: filter, rows, and what can be done with the selected ones. */

import { useEffect, useState } from "preact/hooks";
import type { JobFilter } from "../../connection/results.ts";
import { formatCount } from "../../figures/format.ts";
import { useKeys } from "../../frame/useKeys.ts";
import { Drawer } from "../../parts/Drawer.tsx";
import { EmptyState } from "../../parts/EmptyState.tsx";
import { Link } from "../../router/Link.tsx";
import { navigate, query, setQuery, stepQuery, unstepQuery } from "../../router/router.ts";
import { ActionBar } from "./ActionBar.tsx";
import { type Action, CANCEL, RETRY } from "./bulk.ts";
import { FilterBar, focusFilter } from "./FilterBar.tsx";
import { describeFilter, keyOf, readView } from "./filter.ts";
import { JobTable } from "./JobTable.tsx";
import { JobView } from "./JobView.tsx";
import { type JobList, NEWS_MAX } from "./job_list.ts";
import { isNarrow } from "./narrow.ts";
import { count, EVERYTHING, extend, NOTHING, type Selection, toggle } from "./selection.ts";
import { useJobList } from "./useJobList.ts";

export function JobListing() {
  const view = readView(query.value);
  const key = keyOf(view);
  const { list, isOutdated, listAgain } = useJobList(view);
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const [current, setCurrent] = useState(-1);
  const [asked, setAsked] = useState<Action>();
  const open = query.value.get("job") ?? undefined;
  list?.revision.value;

  useEffect(() => {
    setSelection(NOTHING);
    setCurrent(-1);
  }, [key]);

  const rowAt = (row: number) => list?.rowAt(row);
  const idAt = (row: number) => rowAt(row)?.id;
  const show = (id: string) => {
    if (isNarrow.peek()) navigate(`/jobs/${encodeURIComponent(id)}`);
    else if (open === undefined) stepQuery({ job: id });
    else setQuery({ job: id });
  };
  const close = () => unstepQuery({ job: undefined });
  const select = (row: number, isExtending: boolean) => {
    const id = idAt(row);
    if (id === undefined) return;
    setCurrent(row);
    setSelection((before) => (isExtending ? extend(before, row, idAt) : toggle(before, row, id)));
  };
  const move = (by: number) => {
    const next = Math.min(Math.max(current + by, 0), (list?.length ?? 0) - 1);
    setCurrent(next);
    const id = idAt(next);
    if (open !== undefined && id !== undefined) setQuery({ job: id });
  };
  /** Of the selection, or of the row where the keys are. */
  const act = (action: Action) => {
    if (open !== undefined) return;
    if (count(selection, 1) === 0) {
      if (idAt(current) === undefined) return;
      select(current, false);
    }
    setAsked(action);
  };
  /** What somebody has taken out of the list is no news: the rows close up, the keys stay there. */
  const finish = (action: Action) => {
    setSelection(NOTHING);
    if (action === RETRY && view.filter.status === undefined) return;
    const placeOf = (id: string) => list?.placeOf(id) ?? Number.POSITIVE_INFINITY;
    const above = [...selection.ids].filter((id) => placeOf(id) <= current).length;
    setCurrent(selection.isAll ? -1 : current - above);
    listAgain();
  };
  useKeys([
    { keys: "/", what: "Filter", act: focusFilter },
    { keys: "j", what: "Next job", act: () => move(1) },
    { keys: "k", what: "Previous job", act: () => move(-1) },
    { keys: "x", what: "Select the job, or release it", act: () => select(current, false) },
    { keys: "X", what: "Select up to this job", act: () => select(current, true) },
    { keys: "enter", what: "Open the job", act: () => idAt(current) && show(idAt(current) ?? "") },
    { keys: "r", what: "Retry, or run now", act: () => act(RETRY) },
    { keys: "c", what: "Cancel", act: () => act(CANCEL) },
    {
      keys: "Escape",
      what: "Close the job, or release the selection",
      act: () => (open === undefined ? setSelection(NOTHING) : close()),
    },
  ]);

  return (
    <section class="job-listing" aria-labelledby="jobs-title">
      <h1 id="jobs-title" class="spoken">
        Jobs
      </h1>
      <FilterBar view={view} />
      {list?.error !== undefined && <Problem list={list} error={list.error} />}
      {list?.isOpen && list.length === 0 && list.isWhole ? (
        <NoJobs filter={view.filter} />
      ) : (
        list?.isOpen && (
          <div class="job-frame">
            <News list={list} isOutdated={isOutdated} listAgain={listAgain} />
            <JobTable
              list={list}
              selection={selection}
              current={current}
              open={open}
              onSelect={select}
              onSelectAll={() => setSelection(selection.isAll ? NOTHING : EVERYTHING)}
              onOpen={(row) => {
                setCurrent(row);
                const id = idAt(row);
                if (id !== undefined) show(id);
              }}
            />
          </div>
        )
      )}
      <ActionBar
        list={list}
        filter={view.filter}
        selection={selection}
        asked={asked}
        onAsk={setAsked}
        onRelease={() => setSelection(NOTHING)}
        onDone={finish}
      />
      {open !== undefined && <OpenJob id={open} onClose={close} />}
    </section>
  );
}

function Problem({ list, error }: { list: JobList; error: Error }) {
  return (
    <p class="notice" data-kind="problem" role="alert">
      <strong>The jobs could not be listed:</strong> {error.message}{" "}
      <button type="button" onClick={() => list.retry()}>
        Try again
      </button>
    </p>
  );
}

function OpenJob({ id, onClose }: { id: string; onClose: () => void }) {
  return (
    <Drawer title={`Job ${id}`} onClose={onClose}>
      <p class="quiet-text">
        <Link to={`/jobs/${encodeURIComponent(id)}`}>Open as a page</Link>
      </p>
      <JobView id={id} onGone={() => undefined} />
    </Drawer>
  );
}

/** What the list does not show yet. It never moves by itself. */
function News({
  list,
  isOutdated,
  listAgain,
}: {
  list: JobList | undefined;
  isOutdated: boolean;
  listAgain: () => void;
}) {
  const parts: string[] = [];
  const fresh = list?.news.size ?? 0;
  const left = list?.left.size ?? 0;
  if (fresh > 0) parts.push(`${formatCount(fresh)}${fresh >= NEWS_MAX ? "+" : ""} new`);
  if (left > 0) parts.push(`${formatCount(left)} gone`);
  if (isOutdated) parts.push("some changes missed");
  return (
    <p class="news" role="status">
      {parts.length > 0 && (
        <button type="button" class="chip" onClick={listAgain}>
          {parts.join(", ")} <span class="news-verb">Show</span>
        </button>
      )}
    </p>
  );
}

function NoJobs({ filter }: { filter: JobFilter }) {
  const what = describeFilter(filter);
  if (what === "") {
    return (
      <EmptyState title="No jobs yet">
        Open <Link to="/producer">Producer</Link> to make some, or send one:{" "}
        <code>osqueue submit email:send '&#123;"to": 7&#125;'</code>
      </EmptyState>
    );
  }
  return (
    <EmptyState
      title={filter.status === undefined ? `There is no job ${what}` : `No job is ${what}`}
    >
      {filter.status === "completed" && (
        <>
          A done job is kept only if it was submitted so: <code>resultTtlMs</code>, or Keep result
          in <Link to="/producer">Producer</Link>.<br />
        </>
      )}
      <button type="button" onClick={() => navigate("/jobs")}>
        Show all jobs
      </button>
    </EmptyState>
  );
}
