/**
 * One WebSocket to the broker that leads, and whatever calls go over it.
 *
 * It connects again by itself, to the same broker or to one of its peers, and repeats what was
 * left unanswered. What to send and what an answer means is decided in `calls.ts`, where to go
 * next in `route.ts`; here are the socket and the timers.
 */

import { type Signal, signal } from "@preact/signals";
import { Calls, type Reply, type Request } from "./calls.ts";
import { decodeMessage, encodeMessage } from "./encoding.ts";
import { makeRandomHex } from "./ids.ts";
import { addressOf, Route, websocketUrl } from "./route.ts";
import { SteadyClock } from "./steady_clock.ts";
import { every } from "./timers.ts";

/** Far below the broker's own bound, `frameBytesMax`, 8 MiB by default. */
const FRAME_BYTES = 1_000_000;
const TICK_MS = 250;
const CONNECT_MS_MAX = 4_000;
/** A leader writes every few seconds, three by default, and says so: after this long it is asked. */
const QUIET_MS = 3_500;
/** Who does not answer for this long hangs: what it has told before may be wrong by now. */
const ANSWER_MS_EXPECTED = 1_000;
/** Who does not answer for this long is given up. */
const ANSWER_MS_MAX = 6_000;
const CALL_MS = 60_000;
/** The protocol's bound: entries of repeats live longer than that, not shorter. */
const REPEAT_MS_MAX = 300_000;

export interface Limits {
  payloadBytesMax: number;
  waitMsMax: number;
  claimJobsMax: number;
  [name: string]: number;
}

export interface Hello {
  brokerName: string;
  epoch: number;
  brokerAddress: string;
  limits: Limits;
  scopes: string[];
}

export interface Event {
  event: string;
  data: unknown;
  missed?: number;
}

export type ConnectionState =
  | { kind: "connecting"; since: number }
  | { kind: "leading"; hello: Hello }
  | { kind: "waiting"; retryAt: number; why: string; isLeaderless: boolean; elsewhere: string };

/** Bounds of one call, all optional. */
export interface CallOptions {
  /** A mutation whose repeats must be recognised by their sequence. */
  isMutation?: boolean;
  /** How long the call is tried; at most five minutes. */
  timeoutMs?: number;
}

export class Session {
  readonly state: Signal<ConnectionState>;
  /** The broker that is tried or connected to, like http://10.0.0.7:8080. */
  readonly origin: Signal<string>;
  /** The leader is connected, but does not answer. */
  readonly isSilent = signal(false);
  readonly #calls = new Calls();
  readonly #clock = new SteadyClock();
  readonly #route: Route;
  readonly #clientId = makeRandomHex(16);
  readonly #onEvent: (event: Event) => void;
  readonly #events: readonly string[];
  readonly #open: (url: string) => WebSocket;
  #socket: WebSocket | undefined;
  #isReady = false;
  #isFlushing = false;
  #heardAtMs = 0;
  #askedAtMs = 0;
  #triedAtMs = 0;
  #endTicks = () => {};

  constructor(given: {
    origins: readonly string[];
    events: readonly string[];
    onEvent: (event: Event) => void;
    open?: (url: string) => WebSocket;
  }) {
    this.#route = new Route(given.origins);
    this.#events = given.events;
    this.#onEvent = given.onEvent;
    this.#open = given.open ?? ((url) => new WebSocket(url));
    this.state = signal<ConnectionState>({ kind: "connecting", since: performance.now() });
    this.origin = signal(this.#route.origin);
  }

  /** How long nothing has been heard, in ms. */
  get silenceMs(): number {
    return performance.now() - this.#heardAtMs;
  }

  /** Connects, and stays connected until `stop`. */
  start(): void {
    this.#endTicks = every(TICK_MS, () => this.#tick());
    this.#connect();
  }

  stop(): void {
    this.#endTicks();
    this.#drop("the page was closed");
  }

  /** Tries at once instead of waiting for the next try. */
  retryNow(): void {
    if (this.state.peek().kind === "waiting") this.#connect();
  }

  /**
   * Calls a method, however many connections that takes.
   *
   * @throws QueueError: the answer, or why there is none.
   */
  call<Result>(method: string, params: object, options: CallOptions = {}): Promise<Result> {
    const timeoutMs = Math.min(options.timeoutMs ?? CALL_MS, REPEAT_MS_MAX);
    return new Promise((resolve, reject) => {
      this.#calls.add({
        method,
        params,
        isMutation: options.isMutation ?? false,
        deadlineMs: this.#clock.now() + timeoutMs,
        resolve: resolve as (result: unknown) => void,
        reject,
      });
      this.#flushSoon();
    });
  }

  /** Says something without waiting for an answer, while the page is being closed. */
  sayLast(method: string, params: object): void {
    if (this.#isReady) this.#socket?.send(encodeMessage({ id: 0, method, params }));
  }

  #connect(): void {
    this.#triedAtMs = performance.now();
    this.origin.value = this.#route.origin;
    this.state.value = { kind: "connecting", since: this.#triedAtMs };
    let socket: WebSocket;
    try {
      socket = this.#open(websocketUrl(this.#route.origin));
    } catch (error) {
      // The content security policy, or a page over https with a peer over http.
      this.#failed(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#greet(socket);
    socket.onmessage = (message) => {
      if (socket === this.#socket) this.#take(message.data as ArrayBuffer);
    };
    socket.onclose = (close) => {
      if (socket === this.#socket) this.#failed(close.reason || "no connection");
    };
  }

  /** Asks who it is; only a broker that leads can answer the counts. */
  #greet(socket: WebSocket): void {
    socket.send(encodeMessage(this.#makeHello()));
    socket.send(encodeMessage({ id: "getStats", method: "getStats", params: {} }));
    const events = { events: this.#events };
    socket.send(encodeMessage({ id: "subscribe", method: "subscribe", params: events }));
  }

  #makeHello(): object {
    const params = { clientId: this.#clientId, protocol: 1 };
    return { id: "hello", method: "hello", params };
  }

  #take(bytes: ArrayBuffer): void {
    this.#heardAtMs = performance.now();
    this.#askedAtMs = 0;
    this.isSilent.value = false;
    const message = decodeMessage(bytes);
    for (const one of Array.isArray(message) ? message : [message]) {
      if ("event" in one) this.#onEvent(one as Event);
      else if (typeof one.id === "number") this.#answered(one as Reply);
      else this.#greeted(one as GreetingReply);
    }
  }

  #hello: Hello | undefined;

  #greeted(reply: GreetingReply): void {
    if (reply.id === "hello" && reply.ok) {
      this.#hello = reply.result as Hello;
    } else if (reply.id === "getStats" && reply.ok && this.#hello !== undefined) {
      this.#onEvent({ event: "stats", data: reply.result });
      if (this.#isReady) return;
      this.#isReady = true;
      this.#route.served();
      this.state.value = { kind: "leading", hello: this.#hello };
      this.#flushSoon();
    } else if (!reply.ok && reply.id === "subscribe" && this.#events.length > 1) {
      // An older broker does not know the newest kind of event, the last one: do without.
      const events = this.#events.slice(0, -1);
      this.#socket?.send(
        encodeMessage({ id: "subscribe again", method: "subscribe", params: { events } }),
      );
    } else if (!reply.ok) {
      const { epoch = -1, brokerAddress = "", message, _tag } = reply.error;
      if (_tag === "NotLeader") this.#refused(epoch, brokerAddress);
      else this.#failed(message);
    }
  }

  #answered(reply: Reply): void {
    const verdict = this.#calls.answered(reply, this.#clock.now());
    if (verdict?.kind === "refuses" && this.#isReady) this.#refused(verdict.epoch, verdict.address);
  }

  #refused(epoch: number, address: string): void {
    this.#route.refused(epoch, address);
    const name = addressOf(this.origin.peek());
    const why = address === "" ? "nobody leads the queue" : `${name} does not lead`;
    this.#wait(why, address === "");
  }

  #failed(why: string): void {
    this.#route.failed();
    this.#wait(why, false);
  }

  #wait(why: string, isLeaderless: boolean): void {
    this.#drop(why);
    const retryAt = performance.now() + this.#route.waitMs();
    const elsewhere = this.#route.elsewhere;
    this.state.value = { kind: "waiting", retryAt, why, isLeaderless, elsewhere };
  }

  #drop(why: string): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#hello = undefined;
    this.#isReady = false;
    this.#askedAtMs = 0;
    this.isSilent.value = false;
    this.#calls.connectionLost(why);
    socket?.close();
  }

  #flushSoon(): void {
    if (this.#isFlushing || !this.#isReady) return;
    this.#isFlushing = true;
    // Whatever is called in the same turn goes into one frame, and so into one write.
    queueMicrotask(() => {
      this.#isFlushing = false;
      // Whoever slept must not repeat what the broker may have forgotten meanwhile.
      this.#calls.expire(this.#clock.now());
      while (this.#isReady) {
        const requests = this.#calls.takeFrame();
        if (requests.length === 0) return;
        this.#send(requests);
      }
    });
  }

  #send(requests: Request[]): void {
    const bytesMax = this.#hello?.limits.frameBytesMax ?? FRAME_BYTES;
    for (const frame of makeFrames(requests, bytesMax)) this.#socket?.send(frame);
  }

  #tick(): void {
    const now = performance.now();
    const steadyMs = this.#clock.now();
    this.#calls.expire(steadyMs);
    if (this.#calls.wake(steadyMs)) this.#flushSoon();
    const state = this.state.peek();
    if (state.kind === "waiting" && now >= state.retryAt) this.#connect();
    if (state.kind === "connecting" && now - this.#triedAtMs > CONNECT_MS_MAX) {
      this.#failed(`${addressOf(this.origin.peek())} does not answer`);
    }
    if (state.kind === "leading") this.#checkSilence(now);
  }

  /**
   * A machine that slept, a broker that hangs, a cable that was pulled: none of them closes a socket.
   *
   * A hello needs no store, so whoever lives answers it at once; the counts tell whether it leads.
   */
  #checkSilence(now: number): void {
    if (now - this.#heardAtMs < QUIET_MS) return;
    if (this.#askedAtMs === 0) {
      this.#askedAtMs = now;
      this.#socket?.send(encodeMessage(this.#makeHello()));
      this.#socket?.send(encodeMessage({ id: "getStats", method: "getStats", params: {} }));
    } else if (now - this.#askedAtMs > ANSWER_MS_MAX) {
      this.#failed("the broker has gone silent");
    } else if (now - this.#askedAtMs > ANSWER_MS_EXPECTED) {
      this.isSilent.value = true;
    }
  }
}

type GreetingReply = { id: string } & (
  | { ok: true; result: unknown }
  | { ok: false; error: Extract<Reply, { ok: false }>["error"] }
);

/** Joins encoded requests to arrays of at most a megabyte, and of no more than the broker takes. */
export function makeFrames(
  requests: readonly Request[],
  bytesMax = FRAME_BYTES,
): Uint8Array<ArrayBuffer>[] {
  const most = Math.min(FRAME_BYTES, bytesMax) - ARRAY_HEAD_BYTES;
  const frames: Uint8Array<ArrayBuffer>[] = [];
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for (const request of requests) {
    const part = encodeMessage(request);
    if (parts.length > 0 && bytes + part.length > most) {
      frames.push(makeArray(parts, bytes));
      parts = [];
      bytes = 0;
    }
    parts.push(part);
    bytes += part.length;
  }
  if (parts.length > 0) frames.push(makeArray(parts, bytes));
  return frames;
}

const ARRAY_HEAD_BYTES = 3;

/** An array of MessagePack (array 16) whose items are encoded already. */
function makeArray(parts: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(ARRAY_HEAD_BYTES + bytes);
  frame.set([0xdc, parts.length >> 8, parts.length & 0xff]);
  let offset = ARRAY_HEAD_BYTES;
  for (const part of parts) {
    frame.set(part, offset);
    offset += part.length;
  }
  return frame;
}
