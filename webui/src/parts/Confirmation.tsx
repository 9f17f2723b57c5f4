/** Asks before something that cannot be undone, and says to how many it will be done. */

import { useState } from "preact/hooks";
import { explain } from "../connection/errors.ts";
import { isLive } from "../live/queue.ts";
import { Dialog } from "./Dialog.tsx";

interface Given {
  /** A question with the number in it: "Redrive 3 jobs of type email:send?" */
  question: string;
  /** What becomes of them, in a sentence. */
  detail: string;
  /** The verb on the button. */
  verb: string;
  isDangerous?: boolean;
  act: () => Promise<void>;
  onClose: () => void;
}

export function Confirmation({ question, detail, verb, isDangerous, act, onClose }: Given) {
  const [isCommitting, setCommitting] = useState(false);
  const [problem, setProblem] = useState("");

  async function confirm(): Promise<void> {
    setCommitting(true);
    setProblem("");
    try {
      await act();
      onClose();
    } catch (error) {
      setProblem(explain(error));
    } finally {
      setCommitting(false);
    }
  }

  return (
    <Dialog title={question} onClose={onClose}>
      <p>{detail}</p>
      {problem !== "" && (
        <p class="notice" data-kind="problem" role="alert">
          {problem}
        </p>
      )}
      <footer>
        <button type="button" data-first onClick={onClose}>
          Leave it
        </button>
        <button
          type="button"
          class={isDangerous ? "danger" : "primary"}
          disabled={isCommitting || !isLive.value}
          onClick={confirm}
        >
          {isCommitting ? "Committing…" : verb}
        </button>
      </footer>
    </Dialog>
  );
}
