import { describe, expect, test } from "vitest";
import type { Job, JobError } from "../../../src/connection/results.ts";
import { stepsOf } from "../../../src/pages/jobs/timeline.ts";

const NOW = 100_000;
const job = (fields: Partial<Job>): Job => ({
  id: "job",
  status: "unclaimed",
  type: "mail",
  createdAt: 10_000,
  attempts: 0,
  maxAttempts: 3,
  ...fields,
});
const failure = (attempt: number, fields: Partial<JobError> = {}): JobError => ({
  type: "SmtpError",
  message: "no",
  attempt,
  at: 20_000 + attempt,
  ...fields,
});
const told = (one: Job) => stepsOf(one, NOW).map(({ what, detail }) => [what, detail]);

test("a job that waits was submitted, and waits since it was claimable", () => {
  expect(told(job({}))).toEqual([
    ["Submitted", ""],
    ["Waiting for a worker", "for 1 min 30 s"],
  ]);
  expect(told(job({ readyAt: 60_000 })).at(-1)).toEqual(["Waiting for a worker", "for 40 s"]);
});

test("a failed attempt says how long it took and whose it was", () => {
  const errors = [failure(1, { startedAt: 19_001, workerId: "w1" })];
  const steps = stepsOf(job({ status: "scheduled", attempts: 1, runAt: 105_000, errors }), NOW);
  expect(steps[1]).toMatchObject({
    what: "Attempt 1 failed",
    detail: "after 1.0 s by w1",
    at: 20_001,
    error: errors[0],
  });
  expect(steps.at(-1)).toMatchObject({ what: "Scheduled", detail: "in 5.0 s" });
});

test("errors that are not kept are counted", () => {
  const errors = [failure(3), failure(4)];
  expect(told(job({ status: "dead", attempts: 4, errors, endedAt: 30_000 }))).toEqual([
    ["Submitted", ""],
    ["2 earlier attempts", "not kept"],
    ["Attempt 3 failed", ""],
    ["Attempt 4 failed", ""],
    ["Became a dead letter", ""],
  ]);
});

describe("the last step", () => {
  test("of a running job is its attempt", () => {
    const running = job({ status: "in_progress", attempts: 2, workerId: "w1", startedAt: 90_000 });
    expect(stepsOf({ ...running, errors: [failure(1)] }, NOW).at(-1)).toMatchObject({
      what: "Attempt 2 running",
      detail: "by w1",
      at: 90_000,
    });
  });

  test("of a completed job says how long it took, where that is known", () => {
    const done = job({ status: "completed", attempts: 1, endedAt: 92_000 });
    expect(told(done).at(-1)).toEqual(["Attempt 1 completed", ""]);
    expect(told({ ...done, startedAt: 90_000 }).at(-1)).toEqual([
      "Attempt 1 completed",
      "after 2.0 s",
    ]);
  });

  test("of a job that is due is due now", () => {
    expect(told(job({ status: "scheduled", runAt: 99_000 })).at(-1)).toEqual([
      "Scheduled",
      "due now",
    ]);
  });
});
