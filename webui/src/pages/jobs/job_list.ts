/**
 * The jobs that a list shows: windows of what the broker holds, fetched where somebody looks.
 *
 * The list is as it was when it was opened: rows keep their place, and what the broker tells of
 * them is changed in place. Jobs that have come since are counted, and shown by listing again.
 *
 * Where the filter names only status and type, any window can be fetched by its offset. Otherwise
 * the broker has to look at each job: rows are then fetched from the beginning on, by cursor.
 */

import { signal } from "@preact/signals";
import type { JobChange, ListedJob, JobList as Page } from "../../connection/results.ts";
import { needsLook, type View } from "./filter.ts";

const WINDOW_ROWS = 100;
/** A look that finds nothing for so many requests waits for more scrolling. */
const EMPTY_PAGES_MAX = 100;
/** Rows that are kept; beyond, those furthest from where somebody looks are let go. */
const ROWS_KEPT_MAX = 20_000;
/** Counted one by one up to here; beyond, "1,000+ new" says enough. */
export const NEWS_MAX = 1_000;

/** A job as a row shows it: `gone` ones stay in their place until the list is made anew. */
export type Row = Omit<ListedJob, "status"> & { status: ListedJob["status"] | "gone" };

export type Ask = (method: string, params: object) => Promise<unknown>;

export class JobList {
  readonly view: View;
  /** Rises with every change that a renderer should show. */
  readonly revision = signal(0);
  /** Known rows; where `isWhole` is false there are more behind them. */
  length = 0;
  isWhole = false;
  /** The first answer is there. */
  isOpen = false;
  error: Error | undefined;
  readonly news = new Set<string>();
  /** Jobs in rows that the filter would no longer find. */
  readonly left = new Set<string>();
  readonly #ask: Ask;
  readonly #withPayloads: boolean;
  readonly #rows = new Map<number, Row>();
  readonly #places = new Map<string, number>();
  readonly #byCursor: boolean;
  #cursor: string | undefined;
  #wantedFirst = 0;
  #wantedEnd = WINDOW_ROWS;
  #isLoading = false;
  #isClosed = false;

  constructor(view: View, ask: Ask, withPayloads: boolean) {
    this.view = view;
    this.#ask = ask;
    this.#withPayloads = withPayloads;
    this.#byCursor = needsLook(view.filter);
  }

  /** The job of a row, undefined while it is not fetched. */
  rowAt(index: number): Row | undefined {
    return this.#rows.get(index);
  }

  /** The row of a job that is fetched. */
  placeOf(id: string): number | undefined {
    return this.#places.get(id);
  }

  get isFetching(): boolean {
    return this.#isLoading;
  }

  /** Sees to it that these rows are there; only the last such wish counts. */
  want(first: number, end: number): void {
    this.#wantedFirst = first;
    this.#wantedEnd = end;
    void this.#load();
  }

  /** Tries again after an error. */
  retry(): void {
    this.error = undefined;
    void this.#load();
  }

  /** Nobody looks any more: answers under way are dropped. */
  close(): void {
    this.#isClosed = true;
  }

  /** Changes rows in place, and counts what has come since. */
  apply(changes: readonly JobChange[]): void {
    for (const change of changes) {
      const place = this.#places.get(change.id);
      const row = place === undefined ? undefined : this.#rows.get(place);
      if (place !== undefined && row !== undefined) {
        this.#rows.set(place, changed(row, change));
        if (this.#hasLeft(change)) this.left.add(change.id);
        else this.left.delete(change.id);
      } else if (change.status === "gone") {
        this.news.delete(change.id);
      } else if (this.#isNew(change) && this.news.size < NEWS_MAX) {
        this.news.add(change.id);
      }
    }
    this.revision.value += 1;
  }

  #hasLeft({ status }: JobChange): boolean {
    const wanted = this.view.filter.status;
    return wanted === undefined ? status === "gone" || status === "completed" : status !== wanted;
  }

  /** Whether a job that is in no row has come into this list. What only a look can tell is not. */
  #isNew({ status, type, attempts }: JobChange): boolean {
    const wanted = this.view.filter;
    if (this.#byCursor || !this.isOpen) return false;
    if (wanted.type !== undefined && wanted.type !== type) return false;
    if (wanted.status !== undefined) return wanted.status === status;
    return attempts === 0 && (status === "unclaimed" || status === "scheduled");
  }

  async #load(): Promise<void> {
    if (this.#isLoading || this.error !== undefined) return;
    this.#isLoading = true;
    let emptyPages = 0;
    try {
      for (;;) {
        const offset = this.#missing();
        if (offset === undefined || emptyPages > EMPTY_PAGES_MAX) break;
        const page = (await this.#ask("listJobs", this.#params(offset))) as Page;
        if (this.#isClosed) return;
        emptyPages = page.jobs.length === 0 ? emptyPages + 1 : 0;
        this.#take(offset, page);
        this.revision.value += 1;
      }
    } catch (error) {
      this.error = error as Error;
    } finally {
      this.#isLoading = false;
      if (!this.#isClosed) this.revision.value += 1;
    }
  }

  /** The first row that is wanted and not there. */
  #missing(): number | undefined {
    if (!this.isOpen) return 0;
    if (this.#byCursor) {
      const isWanted = this.#wantedEnd + WINDOW_ROWS > this.length;
      return isWanted && !this.isWhole ? this.length : undefined;
    }
    const end = Math.min(this.#wantedEnd, this.length);
    for (let row = this.#wantedFirst; row < end; row++) if (!this.#rows.has(row)) return row;
    return undefined;
  }

  #params(offset: number): object {
    const place = this.#byCursor
      ? this.#cursor === undefined
        ? {}
        : { cursor: this.#cursor }
      : { offset };
    return {
      ...this.view.filter,
      ...place,
      order: this.view.order,
      limit: WINDOW_ROWS,
      payloads: this.#withPayloads,
    };
  }

  #take(offset: number, page: Page): void {
    page.jobs.forEach((job, index) => {
      const place = offset + index;
      this.#rows.set(place, job);
      this.#places.set(job.id, place);
    });
    const end = offset + page.jobs.length;
    this.isOpen = true;
    if (this.#rows.size > ROWS_KEPT_MAX && !this.#byCursor) this.#forgetFarRows();
    if (this.#byCursor) {
      this.#cursor = page.cursor;
      this.length = end;
      this.isWhole = page.cursor === undefined;
      return;
    }
    // The list was as long as it was when it was opened, unless it has ended earlier since.
    if (this.length === 0) this.length = page.matched ?? end;
    if (page.cursor === undefined) this.length = end;
    else this.length = Math.max(this.length, end);
    this.isWhole = true;
  }

  #forgetFarRows(): void {
    const first = this.#wantedFirst - ROWS_KEPT_MAX / 4;
    const end = this.#wantedEnd + ROWS_KEPT_MAX / 4;
    for (const [place, row] of this.#rows) {
      if (place >= first && place < end) continue;
      this.#rows.delete(place);
      this.#places.delete(row.id);
    }
  }
}

function changed(row: Row, change: JobChange): Row {
  const { workerId: _worker, startedAt: _started, ...kept } = row;
  const next: Row = { ...kept, status: change.status, attempts: change.attempts };
  if (change.status === "in_progress" && change.workerId !== undefined) {
    next.workerId = change.workerId;
  }
  if (change.startedAt !== undefined) next.startedAt = change.startedAt;
  return next;
}
