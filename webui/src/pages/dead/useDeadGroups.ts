/** The groups of dead letters, asked for again when the broker tells that a dead job came or went. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { QueueError } from "../../connection/errors.ts";
import type { DeadGroup, DeadGroups } from "../../connection/results.ts";
import { ask, connection, stats } from "../../live/queue.ts";
import { mergeGroups } from "./groups.ts";

const GROUPS_MAX = 1_000;
/** While jobs die by the hundred, the groups are asked for no more often than this. */
const PAUSE_MS = 500;

export interface Known {
  groups: DeadGroup[] | undefined;
  /** How many groups there are; more than are shown, perhaps. */
  total: number;
  problem: QueueError | undefined;
}

export function useDeadGroups(): Known {
  const [known, setKnown] = useState<Known>({ groups: undefined, total: 0, problem: undefined });
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const isAsking = useRef(false);
  const isStale = useRef(false);

  async function refresh(): Promise<void> {
    isAsking.current = true;
    isStale.current = false;
    try {
      const { groups, total } = await ask<DeadGroups>("listDeadGroups", { limit: GROUPS_MAX });
      setKnown((before) => ({
        groups: mergeGroups(before.groups ?? [], groups),
        total,
        problem: undefined,
      }));
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      const problem = error;
      setKnown((before) => ({ ...before, problem }));
    } finally {
      timer.current = setTimeout(() => {
        isAsking.current = false;
        if (isStale.current) void refresh();
      }, PAUSE_MS);
    }
  }

  function refreshSoon(): void {
    if (isAsking.current) isStale.current = true;
    else void refresh();
  }

  // A redrive and a death within one commit leave the count as it was, but not the commit.
  const seen = useRef("");
  useSignalEffect(() => {
    const now = stats.value;
    if (now === undefined) return;
    const next = `${now.dead} ${now.totals.died}`;
    if (next === seen.current) return;
    seen.current = next;
    refreshSoon();
  });
  useSignalEffect(() => {
    if (connection.value.kind === "leading") refreshSoon();
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  return known;
}
