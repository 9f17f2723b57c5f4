import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Order } from "../../src/connection/timers.ts";

/** A thread of which this test says whose time is over. */
class TestThread {
  static opened: TestThread[] = [];
  readonly orders: Order[] = [];
  onmessage = (_: { data: number }): void => {};
  onerror = (): void => {};

  constructor() {
    TestThread.opened.push(this);
  }

  postMessage(order: Order): void {
    this.orders.push(order);
  }

  terminate(): void {}
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  TestThread.opened = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("timers are counted by one thread", async () => {
  vi.stubGlobal("Worker", TestThread);
  const { after, every } = await import("../../src/connection/timers.ts");
  const acts: string[] = [];
  const end = every(100, () => acts.push("every"));
  after(50, () => acts.push("once"));
  const [thread] = TestThread.opened;
  expect(TestThread.opened).toHaveLength(1);
  expect(thread!.orders).toEqual([
    { id: 1, ms: 100, isRepeated: true },
    { id: 2, ms: 50, isRepeated: false },
  ]);
  for (const data of [1, 2, 1]) thread!.onmessage({ data });
  end();
  // What was on its way when the timer was ended comes too late.
  thread!.onmessage({ data: 1 });
  expect(acts).toEqual(["every", "once", "every"]);
  expect(thread!.orders.at(-1)).toEqual({ id: 1 });
});

test("where the thread does not start, the page counts by itself", async () => {
  vi.stubGlobal("Worker", TestThread);
  const { every } = await import("../../src/connection/timers.ts");
  const act = vi.fn();
  const end = every(100, act);
  TestThread.opened[0]!.onerror();
  vi.advanceTimersByTime(300);
  expect(act).toHaveBeenCalledTimes(3);
  end();
  vi.advanceTimersByTime(300);
  expect(act).toHaveBeenCalledTimes(3);
});

test("where workers are refused or unknown, the page counts by itself", async () => {
  const refuse = function refuse() {
    throw new Error("refused");
  };
  for (const refused of [refuse, undefined]) {
    vi.resetModules();
    vi.stubGlobal("Worker", refused);
    const { after } = await import("../../src/connection/timers.ts");
    const act = vi.fn();
    after(50, act);
    const end = after(50, act);
    end();
    vi.advanceTimersByTime(500);
    expect(act).toHaveBeenCalledOnce();
  }
});
