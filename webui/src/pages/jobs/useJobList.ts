/** The list behind the table: made anew when the filter changes or somebody asks for it. */

import { effect, useSignalEffect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { JobList as Page } from "../../connection/results.ts";
import { ask, changes, connection, stats } from "../../live/queue.ts";
import { noteTypes } from "../../live/types.ts";
import { keyOf, type View } from "./filter.ts";
import { JobList } from "./job_list.ts";

const FIRST_ROWS = 60;
/** Where jobs are larger than this on average, rows come without their payloads. */
const PAYLOAD_BYTES_MAX = 4_000;

export interface Listed {
  list: JobList | undefined;
  /** Changes may have been missed: only listing again tells. */
  isOutdated: boolean;
  listAgain: () => void;
}

export function useJobList(view: View): Listed {
  const key = keyOf(view);
  const [round, setRound] = useState(0);
  const [list, setList] = useState<JobList>();
  const [isOutdated, setOutdated] = useState(false);
  const shown = useRef(list);
  shown.current = list;
  const latest = useRef<JobList>(undefined);

  useEffect(() => {
    const next = new JobList(view, askAndNote, arePayloadsSmall());
    latest.current = next;
    next.want(0, FIRST_ROWS);
    // The old rows stay until the new ones are there.
    const stop = effect(() => {
      next.revision.value;
      if (!next.isOpen && next.error === undefined) return;
      setList(next);
      setOutdated(false);
    });
    return () => {
      stop();
      next.close();
    };
  }, [key, round]);

  useSignalEffect(() => {
    const { jobs, missed } = changes.value;
    shown.current?.apply(jobs);
    if (latest.current !== shown.current) latest.current?.apply(jobs);
    if (missed > 0) setOutdated(true);
  });
  const wasLeading = useRef(true);
  useSignalEffect(() => {
    const isLeading = connection.value.kind === "leading";
    if (isLeading && !wasLeading.current) setOutdated(true);
    wasLeading.current = isLeading;
  });
  const listAgain = () => setRound((before) => before + 1);
  // Nothing is torn from under anybody's eyes where nothing was listed.
  const isWaitingEmpty = list?.length === 0 && (list.news.size > 0 || isOutdated);
  useEffect(() => {
    if (isWaitingEmpty) listAgain();
  }, [isWaitingEmpty]);
  return { list, isOutdated, listAgain };
}

/** Asks for jobs; what types they have is worth suggesting. */
async function askAndNote(method: string, params: object): Promise<unknown> {
  const page = await ask<Page>(method, params);
  noteTypes(page.jobs.map(({ type }) => type));
  return page;
}

function arePayloadsSmall(): boolean {
  const now = stats.peek();
  return now === undefined || now.documentBytes <= PAYLOAD_BYTES_MAX * Math.max(now.total, 1);
}
