/** A button that asks the broker for something: "committing…" until it is durable. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { explain } from "../connection/errors.ts";
import { useKeys } from "../frame/useKeys.ts";
import { type Done, isLive } from "../live/queue.ts";
import { say } from "./LiveRegion.tsx";

interface Given {
  act: () => Promise<Done<unknown>>;
  /** What stands on the button meanwhile. */
  doing?: string;
  /** A key that presses it, and what the sheet of keys says. */
  hotkey?: { keys: string; what: string };
  class?: string;
  title?: string;
  children: ComponentChildren;
}

export function ActionButton({ act, doing = "Committing…", hotkey, children, ...rest }: Given) {
  const [isCommitting, setCommitting] = useState(false);
  const [problem, setProblem] = useState("");
  const isDisabled = isCommitting || !isLive.value;
  useKeys(hotkey === undefined ? [] : [{ ...hotkey, act: () => isDisabled || void press() }]);

  async function press(): Promise<void> {
    setCommitting(true);
    setProblem("");
    try {
      const { commitId } = await act();
      say(`Durable with commit ${commitId}`);
    } catch (error) {
      setProblem(explain(error));
    } finally {
      setCommitting(false);
    }
  }

  return (
    <>
      <button type="button" {...rest} disabled={isDisabled} onClick={press}>
        {isCommitting ? doing : children}
      </button>
      {problem !== "" && (
        <span class="problem" role="alert">
          {problem}
        </span>
      )}
    </>
  );
}
