import { describe, expect, test } from "vitest";
import type { JobChange, ListedJob } from "../../../src/connection/results.ts";
import { readView } from "../../../src/pages/jobs/filter.ts";
import { JobList } from "../../../src/pages/jobs/job_list.ts";

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
const view = (query = "") => readView(new URLSearchParams(query));
const change = (fields: Partial<JobChange>): JobChange => ({
  id: "new",
  status: "unclaimed",
  type: "mail",
  attempts: 0,
  at: 1,
  ...fields,
});

/** A broker with so many jobs, that answers by offset or cursor and keeps what it was asked. */
function makeBroker(jobs: number, pageMax = 1_000) {
  const asked: Record<string, unknown>[] = [];
  const ask = async (_method: string, params: object) => {
    const { offset = 0, cursor, limit, text } = params as Record<string, any>;
    asked.push(params as Record<string, unknown>);
    const start = cursor === undefined ? offset : Number(cursor);
    const end = Math.min(start + Math.min(limit, pageMax), jobs);
    const listed: ListedJob[] = [];
    for (let row = start; row < end; row++) {
      listed.push({
        id: `job-${row}`,
        status: "unclaimed",
        type: "mail",
        createdAt: row,
        attempts: 0,
        maxAttempts: 3,
      });
    }
    return {
      jobs: listed,
      ...(text === undefined ? { matched: jobs } : {}),
      ...(end < jobs ? { cursor: String(end) } : {}),
    };
  };
  return { ask, asked };
}

describe("a list that can jump", () => {
  test("fetches the windows that are looked at, and no others", async () => {
    const { ask, asked } = makeBroker(100_000);
    const list = new JobList(view(), ask, true);
    list.want(0, 40);
    await settled();
    expect(list.length).toBe(100_000);
    list.want(50_010, 50_050);
    await settled();
    expect(list.rowAt(50_030)?.id).toBe("job-50030");
    expect(list.rowAt(40_000)).toBeUndefined();
    expect(asked.map(({ offset }) => offset)).toEqual([0, 50_010]);
  });

  test("only the last wish counts while an answer is under way", async () => {
    const { ask, asked } = makeBroker(100_000);
    const list = new JobList(view(), ask, true);
    for (let row = 0; row < 90_000; row += 1_000) list.want(row, row + 40);
    await settled();
    expect(asked.map(({ offset }) => offset)).toEqual([0, 89_000]);
  });

  test("an answer that is shorter than asked for is continued", async () => {
    const { ask } = makeBroker(250, 30);
    const list = new JobList(view(), ask, true);
    list.want(0, 100);
    await settled();
    expect(list.rowAt(99)?.id).toBe("job-99");
  });

  test("a list that has become shorter ends where the broker says", async () => {
    const long = makeBroker(1_000);
    const short = makeBroker(500);
    let ask = long.ask;
    const list = new JobList(view(), (method, params) => ask(method, params), true);
    list.want(0, 40);
    await settled();
    ask = short.ask;
    list.want(450, 550);
    await settled();
    expect(list.length).toBe(500);
  });
});

test("a list by look is fetched from the beginning on, as far as it is scrolled", async () => {
  const { ask, asked } = makeBroker(1_000);
  const list = new JobList(view("text=x"), ask, true);
  list.want(0, 40);
  await settled();
  expect([list.length, list.isWhole]).toEqual([200, false]);
  list.want(150, 190);
  await settled();
  expect(list.length).toBe(300);
  expect(asked.every(({ offset }) => offset === undefined)).toBe(true);
});

describe("what the broker tells", () => {
  async function opened(query = "") {
    const list = new JobList(view(query), makeBroker(10).ask, true);
    list.want(0, 10);
    await settled();
    return list;
  }

  test("changes rows in place", async () => {
    const list = await opened();
    list.apply([change({ id: "job-3", status: "in_progress", attempts: 1, workerId: "w1" })]);
    expect(list.rowAt(3)).toMatchObject({ status: "in_progress", attempts: 1, workerId: "w1" });
    list.apply([change({ id: "job-3", status: "completed", attempts: 1, workerId: "w1" })]);
    expect(list.rowAt(3)?.workerId).toBeUndefined();
    expect([list.length, list.news.size, list.left.size]).toEqual([10, 0, 1]);
  });

  test("counts what is new, once each, and not what has gone again", async () => {
    const list = await opened();
    list.apply([change({ id: "a" }), change({ id: "a" }), change({ id: "b" })]);
    expect(list.news.size).toBe(2);
    list.apply([change({ id: "b", status: "gone" })]);
    expect(list.news.size).toBe(1);
    list.apply([change({ id: "c", status: "in_progress", attempts: 1 })]);
    expect(list.news.size).toBe(1);
  });

  test("has left where the filter would no longer find it, until it would again", async () => {
    const list = await opened("status=unclaimed");
    list.apply([change({ id: "job-3", status: "in_progress", attempts: 1 })]);
    expect(list.left.size).toBe(1);
    list.apply([change({ id: "job-3", attempts: 1 })]);
    expect(list.left.size).toBe(0);
  });

  test("is new only where the filter would find it", async () => {
    const list = await opened("status=dead&type=mail");
    list.apply([change({ id: "a" }), change({ id: "b", status: "dead", type: "other" })]);
    expect(list.news.size).toBe(0);
    list.apply([change({ id: "c", status: "dead", attempts: 3 })]);
    expect(list.news.size).toBe(1);
  });
});

test("an error is kept until somebody tries again", async () => {
  let isBroken = true;
  const broker = makeBroker(10);
  const list = new JobList(
    view(),
    (method, params) => {
      if (isBroken) throw new Error("no broker");
      return broker.ask(method, params);
    },
    true,
  );
  list.want(0, 10);
  await settled();
  expect(list.error?.message).toBe("no broker");
  isBroken = false;
  list.retry();
  await settled();
  expect(list.rowAt(9)?.id).toBe("job-9");
});
