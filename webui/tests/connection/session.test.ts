import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decodeMessage } from "../../src/connection/encoding.ts";
import { type Event, makeFrames, Session } from "../../src/connection/session.ts";
import { TestSocket } from "./test_socket.ts";

let session: Session;
let events: Event[];

function last(): TestSocket {
  return TestSocket.opened.at(-1)!;
}

beforeEach(() => {
  vi.useFakeTimers();
  TestSocket.opened = [];
  events = [];
  session = new Session({
    origins: ["http://a:1", "http://b:2"],
    events: ["stats", "history"],
    onEvent: (event) => events.push(event),
    open: (url) => new TestSocket(url) as unknown as WebSocket,
  });
  session.start();
});

afterEach(() => {
  session.stop();
  vi.useRealTimers();
});

describe("greeting", () => {
  test("a broker that answers the counts leads, and only then calls go out", async () => {
    const answer = session.call("getJob", { jobId: "j" });
    last().onopen();
    expect(last().sent.map((one) => one.method)).toEqual(["hello", "getStats", "subscribe"]);
    last().lead();
    await Promise.resolve();
    expect(session.state.value.kind).toBe("leading");
    expect(events.map((event) => event.event)).toEqual(["stats"]);
    expect(last().sent.at(-1)).toEqual([{ id: 1, method: "getJob", params: { jobId: "j" } }]);
    last().say([{ id: 1, ok: true, result: { id: "j" } }]);
    await expect(answer).resolves.toEqual({ id: "j" });
  });

  test("one that does not is left for the leader that it names", () => {
    const error = { _tag: "NotLeader", message: "no", advice: "ask the leader" };
    last().onopen();
    last().say({ id: "getStats", ok: false, error: { ...error, epoch: 8, brokerAddress: "b:2" } });
    expect(session.state.value).toMatchObject({ kind: "waiting", isLeaderless: false });
    vi.advanceTimersByTime(1_000);
    expect(last().url).toBe("ws://b:2/v1/ws");
  });

  test("where nobody leads that is said", () => {
    const error = { _tag: "NotLeader", message: "no", advice: "ask the leader" };
    last().onopen();
    last().say({ id: "getStats", ok: false, error });
    expect(session.state.value).toMatchObject({
      isLeaderless: true,
      why: "nobody leads the queue",
    });
  });
});

test("a broker that does not know the newest event is asked for the others", () => {
  last().onopen();
  const error = { _tag: "InvalidRequest", message: "no such event", advice: "fix the request" };
  last().say({ id: "subscribe", ok: false, error });
  expect(last().sent.at(-1)).toMatchObject({ method: "subscribe", params: { events: ["stats"] } });
});

describe("a lost connection", () => {
  test("is made anew elsewhere, and what was open is repeated under its number", async () => {
    last().lead();
    const answer = session.call("submitJob", { jobId: "j" }, { isMutation: true });
    await Promise.resolve();
    const [first] = last().sent.at(-1);
    last().onclose({ reason: "the broker stops" });
    expect(session.state.value).toMatchObject({ kind: "waiting", why: "the broker stops" });
    vi.advanceTimersByTime(1_000);
    expect(last().url).toBe("ws://b:2/v1/ws");
    last().lead();
    await Promise.resolve();
    expect(last().sent.at(-1)).toEqual([first]);
    last().say([{ id: first.id, ok: true, result: { jobId: "j" } }]);
    await expect(answer).resolves.toEqual({ jobId: "j" });
  });

  test("found after a sleep repeats nothing whose time was over by then", async () => {
    last().lead();
    const answer = session.call("submitJob", { jobId: "j" }, { isMutation: true });
    await Promise.resolve();
    last().onclose({ reason: "the broker stops" });
    vi.advanceTimersByTime(1_000);
    // The machine sleeps: the wall clock goes on, and nothing else does.
    vi.setSystemTime(Date.now() + 20 * 60_000);
    last().lead();
    await Promise.resolve();
    expect(
      last()
        .sent.flat()
        .filter((one) => one.method === "submitJob"),
    ).toEqual([]);
    await expect(answer).rejects.toMatchObject({ tag: "OutcomeUnknown" });
  });

  test("is noticed when the broker stays silent and does not answer", () => {
    last().lead();
    vi.advanceTimersByTime(3_400);
    expect(last().sent.at(-1)).toMatchObject({ method: "subscribe" });
    vi.advanceTimersByTime(600);
    expect(last().sent.slice(-2)).toMatchObject([{ method: "hello" }, { method: "getStats" }]);
    expect(session.isSilent.value).toBe(false);
    vi.advanceTimersByTime(1_000);
    expect(session.isSilent.value).toBe(true);
    expect(session.state.value.kind).toBe("leading");
    expect(session.silenceMs).toBe(5_000);
    const silent = last();
    vi.advanceTimersByTime(5_500);
    expect(silent.isClosed).toBe(true);
    expect(session.isSilent.value).toBe(false);
    expect(TestSocket.opened.length).toBeGreaterThan(1);
  });

  test("is not assumed of a broker that answers late, or waits for its store", () => {
    last().lead();
    for (let round = 0; round < 5; round++) {
      vi.advanceTimersByTime(5_000);
      expect(session.isSilent.value).toBe(true);
      last().say({ id: "hello", ok: true, result: { brokerAddress: "a:1", epoch: 7, limits: {} } });
      expect(session.isSilent.value).toBe(false);
    }
    expect(TestSocket.opened).toHaveLength(1);
    expect(session.state.value.kind).toBe("leading");
  });

  test("that nobody accepts is given up after four seconds", () => {
    vi.advanceTimersByTime(4_500);
    expect(TestSocket.opened.map((socket) => socket.url)).toEqual([
      "ws://a:1/v1/ws",
      "ws://b:2/v1/ws",
    ]);
  });
});

test("a late word of an old connection is nobody's", () => {
  const old = last();
  old.lead();
  old.onclose({ reason: "" });
  events.length = 0;
  old.say({ event: "stats", data: {} });
  expect(events).toEqual([]);
});

test("frames are arrays of about a megabyte at most", () => {
  const payload = "x".repeat(300_000);
  const requests = Array.from({ length: 7 }, (_, id) => ({ id, method: "m", params: { payload } }));
  const frames = makeFrames(requests);
  expect(frames.map((frame) => (decodeMessage(frame) as unknown[]).length)).toEqual([3, 3, 1]);
  expect(Math.max(...frames.map((frame) => frame.length))).toBeLessThan(1_000_003);
});
