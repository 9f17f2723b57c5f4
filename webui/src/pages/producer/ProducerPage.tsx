/** Left the form, right what happened. */

import type { Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { formatCount, formatRate } from "../../figures/format.ts";
import { isLive } from "../../live/queue.ts";
import { Chips } from "../../parts/Chips.tsx";
import { Panel } from "../../parts/Panel.tsx";
import {
  fields,
  isWrong,
  type Mode,
  makeJob,
  mode,
  type NumberName,
  numberOf,
  payload,
  problems,
} from "./form.ts";
import { Outcomes } from "./Outcomes.tsx";
import { isHeldUp, startSteady, steadyRate, stopSteady, submit } from "./producing.ts";
import "./producer.css";

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
        <NumberField label="Priority" name="priority" />
        <NumberField label="Delay, s" name="delay" />
        <NumberField label="Attempts" name="attempts" hint="broker's default" />
        <NumberField label="Keep result, min" name="keep" />
      </div>
      <UniqueKey />
      <How />
    </form>
  );
}

interface FieldGiven {
  label: string;
  value: Signal<string>;
  hint?: string;
}

function Field({ label, value, hint = "" }: FieldGiven) {
  return (
    <label class="field">
      {label}
      <input
        value={value.value}
        placeholder={hint}
        onInput={(event) => (value.value = event.currentTarget.value)}
      />
    </label>
  );
}

interface NumberGiven {
  label: string;
  name: NumberName;
  hint?: string;
}

/** What is no number, or beyond its bounds, is refused here, with what is allowed. */
function NumberField({ label, name, hint = "" }: NumberGiven) {
  const problem = problems[name].value;
  return (
    <div class="field">
      <label class="field">
        {label}
        <input
          inputMode="decimal"
          value={fields[name].value}
          placeholder={hint}
          aria-invalid={problem !== ""}
          aria-describedby={`${name}-problem`}
          onInput={(event) => (fields[name].value = event.currentTarget.value)}
        />
      </label>
      <span id={`${name}-problem`} class="problem">
        {problem}
      </span>
    </div>
  );
}

function UniqueKey() {
  const key = fields.uniqueKey.value;
  const isOneForMany = mode.value !== "one" && key.trim() !== "" && !key.includes("{n}");
  return (
    <div class="field">
      <Field label="Unique key" value={fields.uniqueKey} hint="one waiting or running job a key" />
      {isOneForMany && (
        <span class="quiet-text">
          All share this key, so one is queued. Write <code>{"{n}"}</code> in it to number them.
        </span>
      )}
    </div>
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
  const running = steadyRate.value;
  const count = mode.value === "burst" ? numberOf("burst") : 1;

  async function press(): Promise<void> {
    if (running !== undefined) {
      stopSteady();
      return;
    }
    if (mode.value === "steady") {
      startSteady(numberOf("rate"), makeJob);
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
      {mode.value === "burst" && <NumberField label="Jobs" name="burst" />}
      {mode.value === "steady" && <NumberField label="Jobs a second" name="rate" />}
      <button
        type="submit"
        class="primary"
        disabled={running === undefined && (isWrong.value || isCommitting || !isLive.value)}
        onClick={press}
      >
        {running !== undefined
          ? `Stop (${formatRate(running)})`
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
  if (Number.isNaN(count)) return "Submit jobs";
  return count === 1 ? "Submit one job" : `Submit ${formatCount(count)} jobs`;
}
