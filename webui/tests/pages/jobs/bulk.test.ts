import { expect, test } from "vitest";
import type { Changed } from "../../../src/connection/results.ts";
import { goThrough } from "../../../src/pages/jobs/bulk.ts";

/** Answers one after another, and keeps what was asked. */
function makeBroker(answers: Changed[]) {
  const asked: object[] = [];
  const call = async (method: string, params: object) => {
    asked.push({ method, ...params });
    return answers[asked.length - 1] ?? { count: 0 };
  };
  return { call, asked };
}

test("a filter is gone through to the end of the cursor", async () => {
  const { call, asked } = makeBroker([
    { count: 10_000, cursor: "a" },
    { count: 0, cursor: "b" },
    { count: 12, skipped: 1 },
  ]);
  const filter = { status: "dead" } as const;
  expect(await goThrough("retryJobs", { filter }, call)).toEqual({ count: 10_012, skipped: 1 });
  expect(asked).toEqual([
    { method: "retryJobs", filter },
    { method: "retryJobs", filter, cursor: "a" },
    { method: "retryJobs", filter, cursor: "b" },
  ]);
});

test("ids go in requests that the broker takes", async () => {
  const { call, asked } = makeBroker([{ count: 10_000 }, { count: 5 }]);
  const jobIds = Array.from({ length: 10_005 }, (_, index) => `job-${index}`);
  const { count } = await goThrough("deleteJobs", { jobIds }, call, { dryRun: true });
  expect(count).toBe(10_005);
  expect(asked).toMatchObject([{ dryRun: true }, { jobIds: { length: 5 }, dryRun: true }]);
});

test("nothing selected asks nothing", async () => {
  const { call, asked } = makeBroker([]);
  expect(await goThrough("deleteJobs", { jobIds: [] }, call)).toEqual({ count: 0, skipped: 0 });
  expect(asked).toEqual([]);
});
