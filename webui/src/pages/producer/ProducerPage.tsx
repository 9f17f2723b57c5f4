/** Left the form, right what happened. */

import { type Signal, signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { formatCount } from "../../figures/format.ts";
import { isLive } from "../../live/queue.ts";
import { Chips } from "../../parts/Chips.tsx";
import { Panel } from "../../parts/Panel.tsx";
import { fields, makeJob, payload } from "./form.ts";
import { Outcomes } from "./Outcomes.tsx";
import { isHeldUp, startSteady, steadyRate, stopSteady, submit } from "./producing.ts";
import "./producer.css";

type Mode = "one" | "burst" | "steady";

const mode = signal<Mode>("one");
const burst = signal("200");
const rate = signal("10");
const BURST_MAX = 20_000;
const RATE_MAX = 2_000;

export function ProducerPage() {
  return (
    <div class="producer">
      <h1 class="spoken">Producer</h1>
      <Panel title="Submit jobs">
        <Form />
      </Panel>
      <Outcomes />
    </div>
  );
}

function Form() {
  return (
    <form
      class="producer-form"
      onSubmit={(event) => {
        event.preventDefault();
      }}
    >
      <Field label="Type" value={fields.type} hint="workers choose by it; may be empty" />
      <Payload />
      <div class="fields">
        <Field label="Priority" value={fields.priority} type="number" />
        <Field label="Delay, s" value={fields.delay} type="number" />
        <Field label="Attempts" value={fields.attempts} type="number" hint="the broker's" />
        <Field label="Keep result, min" value={fields.keep} type="number" />
      </div>
      <Field label="Unique key" value={fields.uniqueKey} hint="one waiting or running job a key" />
      <How />
    </form>
  );
}

interface FieldGiven {
  label: string;
  value: Signal<string>;
  type?: "text" | "number";
  hint?: string;
}

function Field({ label, value, type = "text", hint = "" }: FieldGiven) {
  return (
    <label class="field">
      {label}
      <input
        inputMode={type === "number" ? "decimal" : "text"}
        value={value.value}
        placeholder={hint}
        onInput={(event) => (value.value = event.currentTarget.value)}
      />
    </label>
  );
}

function Payload() {
  const parsed = payload.value;
  const problem = "problem" in parsed ? parsed.problem : "";
  return (
    <label class="field">
      Payload, JSON
      <textarea
        rows={7}
        spellcheck={false}
        value={fields.payload.value}
        aria-invalid={problem !== ""}
        aria-describedby="payload-problem"
        onInput={(event) => (fields.payload.value = event.currentTarget.value)}
      />
      <span id="payload-problem" class={problem === "" ? "quiet-text" : "problem"}>
        {problem || "Valid JSON"}
      </span>
    </label>
  );
}

/** One, a burst, or steadily; and the button that does it. */
function How() {
  const [isCommitting, setCommitting] = useState(false);
  const isWrong = "problem" in payload.value;
  const running = steadyRate.value;
  const count = clamp(mode.value === "burst" ? burst.value : "1", BURST_MAX);

  async function press(): Promise<void> {
    if (running !== undefined) {
      stopSteady();
      return;
    }
    if (mode.value === "steady") {
      startSteady(clamp(rate.value, RATE_MAX), makeJob);
      return;
    }
    const job = makeJob();
    if (job === undefined) return;
    setCommitting(true);
    await submit(job, count);
    setCommitting(false);
  }

  return (
    <div class="how">
      <Chips
        label="How many"
        chips={[
          { value: "one", name: "One" },
          { value: "burst", name: "Burst" },
          { value: "steady", name: "Steady" },
        ]}
        chosen={mode.value}
        onChoose={(value) => (mode.value = value)}
      />
      {mode.value === "burst" && <Field label="Jobs" value={burst} type="number" />}
      {mode.value === "steady" && <Field label="Jobs a second" value={rate} type="number" />}
      <button
        type="submit"
        class="primary"
        disabled={running === undefined && (isWrong || isCommitting || !isLive.value)}
        onClick={press}
      >
        {running !== undefined
          ? `Stop (${formatCount(running)} a second)`
          : isCommitting
            ? "Committing…"
            : describeButton(mode.value, count)}
      </button>
      {isHeldUp.value && <span class="problem">The broker is slower than this rate.</span>}
    </div>
  );
}

function describeButton(chosen: Mode, count: number): string {
  if (chosen === "steady") return "Start";
  return count === 1 ? "Submit one job" : `Submit ${formatCount(count)} jobs`;
}

/** A whole number from 1 to the most. */
function clamp(text: string, most: number): number {
  return Math.min(Math.max(Math.floor(Number(text)) || 1, 1), most);
}
