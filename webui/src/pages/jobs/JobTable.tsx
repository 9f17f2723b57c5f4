/** The rows: of any number, those that can be seen stand in the DOM. */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { formatCount, formatDateTime, formatTime, shortenId } from "../../figures/format.ts";
import { formatJsonLine } from "../../figures/json.ts";
import { Status } from "../../parts/Status.tsx";
import { isReturn, setQuery } from "../../router/router.ts";
import { keyOf } from "./filter.ts";
import type { JobList, Row } from "./job_list.ts";
import { isNarrow } from "./narrow.ts";
import { holds, type Selection } from "./selection.ts";
import { contentPx, type Frame, scrollToShow, spanAt } from "./virtual_rows.ts";

const ROW_PX = 32;
/** Two lines. */
const NARROW_ROW_PX = 56;
const PREVIEW_CHARS_MAX = 160;
/** Where the list was left, for who comes back to it. */
let left = { key: "", scrollPx: 0 };
/** More rows than stand in the DOM at once: a row's element is used again for another row. */
const POOL = 128;

interface Given {
  list: JobList;
  selection: Selection;
  /** The row where the keys are; -1: nowhere. */
  current: number;
  /** The id of the job in the drawer. */
  open: string | undefined;
  onSelect: (row: number, isExtending: boolean) => void;
  onSelectAll: () => void;
  onOpen: (row: number) => void;
}

export function JobTable(given: Given) {
  const { list, selection, current } = given;
  const scroller = useRef<HTMLDivElement>(null);
  const [scrollPx, setScrollPx] = useState(0);
  const [windowPx, setWindowPx] = useState(600);
  const rowPx = isNarrow.value ? NARROW_ROW_PX : ROW_PX;
  const frame: Frame = { rows: list.length, rowPx, windowPx };
  const span = spanAt(scrollPx, frame);

  const key = useRef("");
  key.current = keyOf(list.view);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    if (isReturn && left.key === key.current) element.scrollTop = left.scrollPx;
    const head = element.querySelector("thead")?.offsetHeight ?? 0;
    const observer = new ResizeObserver(() => setWindowPx(element.clientHeight - head));
    observer.observe(element);
    return () => {
      left = { key: key.current, scrollPx: element.scrollTop };
      observer.disconnect();
    };
  }, []);
  useEffect(() => list.want(span.first, span.end), [list, span.first, span.end]);
  useEffect(() => {
    if (current < 0 || scroller.current === null) return;
    scroller.current.scrollTop = scrollToShow(current, scroller.current.scrollTop, frame);
  }, [current]);

  const rows: JSX.Element[] = [];
  for (let at = span.first; at < span.end; at++) {
    rows.push(
      <JobRow key={at % POOL} {...given} at={at} topPx={span.topPx + (at - span.first) * rowPx} />,
    );
  }
  return (
    // A scroller that the keyboard reaches.
    <div
      ref={scroller}
      class="job-rows"
      tabIndex={0}
      role="region"
      aria-label="List of jobs"
      onScroll={(event) => setScrollPx(event.currentTarget.scrollTop)}
    >
      <table role="table" aria-label="Jobs" aria-rowcount={list.length + 1}>
        <Head list={list} selection={selection} onSelectAll={given.onSelectAll} />
        <tbody role="rowgroup" style={{ height: `${contentPx(frame)}px` }}>
          {rows}
        </tbody>
      </table>
    </div>
  );
}

function Head({ list, selection, onSelectAll }: Pick<Given, "list" | "selection" | "onSelectAll">) {
  const { order } = list.view;
  const all = list.isWhole ? `all ${formatCount(list.length)}` : "all";
  const next = order === "desc" ? "asc" : "desc";
  return (
    <thead role="rowgroup">
      <tr role="row" aria-rowindex={1}>
        <th role="columnheader" class="cell-check">
          <input
            type="checkbox"
            aria-label={`Select ${all} that match`}
            title={`Select ${all} that match`}
            checked={selection.isAll}
            onChange={onSelectAll}
          />
        </th>
        <th role="columnheader" class="cell-status">
          Status
        </th>
        <th role="columnheader" class="cell-type">
          Type
        </th>
        <th role="columnheader" class="cell-id">
          Job
        </th>
        <th role="columnheader" class="cell-preview">
          Payload or error
        </th>
        <th role="columnheader" class="cell-attempts">
          Attempts
        </th>
        <th role="columnheader" class="cell-worker">
          Worker
        </th>
        <th
          role="columnheader"
          class="cell-time"
          aria-sort={order === "desc" ? "descending" : "ascending"}
        >
          <button
            type="button"
            class="sort"
            title={order === "desc" ? "The newest first" : "The oldest first"}
            onClick={() => setQuery({ order: next === "desc" ? "" : next })}
          >
            Submitted <span aria-hidden="true">{order === "desc" ? "↓" : "↑"}</span>
          </button>
        </th>
      </tr>
    </thead>
  );
}

function JobRow({
  list,
  selection,
  current,
  open,
  onSelect,
  onOpen,
  at,
  topPx,
}: Given & {
  at: number;
  topPx: number;
}) {
  const job = list.rowAt(at);
  const place = { transform: `translateY(${topPx}px)` };
  if (job === undefined) {
    return (
      <tr role="row" class="job-row" aria-rowindex={at + 2} style={place}>
        <td role="cell" class="cell-loading">
          {list.error === undefined ? "loading…" : "–"}
        </td>
      </tr>
    );
  }
  const isSelected = holds(selection, job.id);
  return (
    <tr
      role="row"
      class="job-row"
      aria-rowindex={at + 2}
      aria-selected={isSelected}
      data-current={at === current}
      data-open={job.id === open}
      data-ended={job.status === "gone" || job.status === "completed"}
      style={place}
      onMouseDown={(event) => {
        // Shift selects rows, not their text.
        if (event.shiftKey) event.preventDefault();
      }}
      onClick={(event) => {
        if (event.shiftKey) onSelect(at, true);
        else if (event.metaKey || event.ctrlKey) onSelect(at, false);
        else if (!(event.target as Element).closest("a, input, .cell-check")) onOpen(at);
      }}
    >
      <td role="cell" class="cell-check">
        <label>
          <input
            type="checkbox"
            aria-label={`Select job ${job.id}`}
            checked={isSelected}
            onClick={(event) => {
              event.stopPropagation();
              onSelect(at, event.shiftKey);
            }}
          />
        </label>
      </td>
      <Cells job={job} onOpen={() => onOpen(at)} />
    </tr>
  );
}

function Cells({ job, onOpen }: { job: Row; onOpen: () => void }) {
  return (
    <>
      <td role="cell" class="cell-status">
        <Status status={job.status} />
      </td>
      <td role="cell" class="cell-type" data-preview title={job.type}>
        {job.type || <span class="quiet-text">no type</span>}
      </td>
      <td role="cell" class="cell-id">
        <a
          class="id"
          href={`/jobs/${encodeURIComponent(job.id)}`}
          title={job.id}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            onOpen();
          }}
        >
          {shortenId(job.id)}
        </a>
      </td>
      <td
        role="cell"
        class="cell-preview"
        data-preview
        data-tone={job.lastError === undefined ? undefined : "dead"}
      >
        {previewOf(job)}
      </td>
      <td role="cell" class="cell-attempts">
        {job.attempts}/{job.maxAttempts}
      </td>
      <td role="cell" class="cell-worker" title={job.workerId}>
        {job.workerId}
      </td>
      <td role="cell" class="cell-time" title={formatDateTime(job.createdAt)}>
        {formatTime(job.createdAt)}
      </td>
    </>
  );
}

/** The error of a job that has one, otherwise its payload: cut, for the job itself is a click away. */
function previewOf(job: Row): string {
  const { lastError, payload } = job;
  const text =
    lastError === undefined
      ? payload === undefined || payload === null
        ? ""
        : formatJsonLine(payload)
      : [lastError.type, lastError.message].filter(Boolean).join(": ");
  return text.slice(0, PREVIEW_CHARS_MAX);
}
