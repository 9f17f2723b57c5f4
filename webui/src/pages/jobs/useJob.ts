/** One job, fetched when it is opened and again when the broker tells that it has changed. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { QueueError } from "../../connection/errors.ts";
import type { Job, JobStatus } from "../../connection/results.ts";
import { ask, changes, connection } from "../../live/queue.ts";

export interface Watched {
  job: Job | undefined;
  /** What has become of a job that is no longer in the queue. */
  ended: "completed" | "gone" | undefined;
  /** There is no such job, or it could not be asked for. */
  problem: QueueError | undefined;
  /** Asks for it again, after something that the broker tells nobody of. */
  lookAgain: () => void;
}

type Known = Omit<Watched, "lookAgain"> & { id: string };

export function useJob(id: string): Watched {
  const [watched, setWatched] = useState<Known>(nothing(id));
  const isFetching = useRef(false);
  const isStale = useRef(false);
  const latestId = useRef(id);
  latestId.current = id;

  async function refetch(): Promise<void> {
    if (isFetching.current) {
      isStale.current = true;
      return;
    }
    isFetching.current = true;
    const asked = latestId.current;
    try {
      const job = await ask<Job>("getJob", { jobId: asked });
      setWatched({ id: asked, job, ended: undefined, problem: undefined });
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      setWatched((before) => ended(before.id === asked ? before : nothing(asked), error));
    } finally {
      isFetching.current = false;
      if (isStale.current || latestId.current !== asked) {
        isStale.current = false;
        void refetch();
      }
    }
  }

  useEffect(() => void refetch(), [id]);
  useSignalEffect(() => {
    const change = changes.value.jobs.findLast((one) => one.id === latestId.current);
    if (change === undefined && changes.value.missed === 0) return;
    if (change !== undefined) setWatched((before) => withStatus(before, change.status));
    void refetch();
  });
  useSignalEffect(() => {
    if (connection.value.kind === "leading") void refetch();
  });
  return { ...(watched.id === id ? watched : nothing(id)), lookAgain: () => void refetch() };
}

function nothing(id: string): Known {
  return { id, job: undefined, ended: undefined, problem: undefined };
}

function withStatus(before: Known, status: JobStatus | "gone"): Known {
  if (before.job === undefined) return before;
  return { ...before, ended: status === "gone" || status === "completed" ? status : undefined };
}

function ended(before: Known, error: QueueError): Known {
  const isGone = error.tag === "JobNotFound" && before.job !== undefined;
  if (isGone) return { ...before, ended: before.ended ?? "gone", problem: undefined };
  return { ...before, problem: error };
}
