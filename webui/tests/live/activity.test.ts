import "../page.ts";
import { expect, test } from "vitest";
import type { JobChange } from "../../src/connection/results.ts";
import { activity, describeChange } from "../../src/live/activity.ts";
import { changes } from "../../src/live/queue.ts";

function change(over: Partial<JobChange>): JobChange {
  return { id: "a", status: "unclaimed", type: "t", attempts: 0, at: 0, ...over };
}

test("the newest deed comes first, each has a number of its own, and 200 are kept", () => {
  const jobs = Array.from({ length: 150 }, (_, index) => change({ id: `first-${index}` }));
  changes.value = { number: 1, jobs, missed: 0 };
  changes.value = {
    number: 2,
    jobs: jobs.map((job) => ({ ...job, id: `${job.id}-2` })),
    missed: 0,
  };
  expect(activity.value).toHaveLength(200);
  expect(activity.value[0]!.id).toBe("first-149-2");
  expect(new Set(activity.value.map((deed) => deed.number)).size).toBe(200);
});

test.each([
  [{ status: "in_progress", attempts: 1 }, "started"],
  [{ status: "completed" }, "completed"],
  [{ status: "dead", errorType: "E" }, "died"],
  [{ status: "gone" }, "gone"],
  [{ status: "scheduled" }, "scheduled"],
  [{ status: "scheduled", attempts: 1 }, "snoozed"],
  [{ status: "scheduled", attempts: 1, errorType: "E" }, "failed"],
  [{ status: "unclaimed" }, "submitted"],
  [{ status: "unclaimed", attempts: 1 }, "waits again"],
  [{ status: "unclaimed", attempts: 1, errorType: "E" }, "failed"],
] as [Partial<JobChange>, string][])("%o is called %s", (over, verb) => {
  expect(describeChange(change(over)).verb).toBe(verb);
});
