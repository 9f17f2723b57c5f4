/**
 * Which calls are open, what goes into the next frame, what an answer means: all the decisions.
 *
 * No timers, no sockets; times come in as milliseconds of a steady clock. The rules of repeats are
 * those of docs/protocol.md: a mutation gets its sequence when it is first put into a frame and
 * keeps it; after an attempt that went unanswered only ok settles it, and a refusal becomes
 * OutcomeUnknown for the caller. NotLeader and Unavailable applied nothing and are repeated, as are
 * reads, heartbeats and claims, which carry no sequence (a claim is recognised by its claim id).
 */

import { outcomeUnknown, QueueError, unavailable, type WireError } from "./errors.ts";

/** The broker's own bound is `frameRequestsMax`, 10,000 by default. */
const FRAME_CALLS_MAX = 1_000;
const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 2_000;

export interface Request {
  id: number;
  method: string;
  params: object;
  sequence?: number;
  firstIncomplete?: number;
}

export type Reply =
  | { id: number; ok: true; result: unknown }
  | { id: number; ok: false; error: WireError };

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: object;
  readonly isMutation: boolean;
  deadlineMs: number;
  sequence: number | undefined;
  state: "queued" | "in flight" | "delayed" | "settled";
  attempts: number;
  /** An attempt went unanswered, or was answered OutcomeUnknown. */
  isUnanswered: boolean;
  wakeAtMs: number;
  /** Why the last attempt settled nothing; empty: there was none. */
  trouble: string;
  resolve: (result: unknown) => void;
  reject: (error: QueueError) => void;
}

export type NewCall = Pick<
  Call,
  "method" | "params" | "isMutation" | "deadlineMs" | "resolve" | "reject"
>;

/** What a reply says about the broker that sent it. */
export type Verdict = { kind: "serves" } | { kind: "refuses"; epoch: number; address: string };

export class Calls {
  readonly #open = new Map<number, Call>();
  readonly #waitedFor = new Set<number>();
  readonly #random: () => number;
  #nextId = 1;
  #nextSequence = 1;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** The lowest sequence that is still waited for; where none is, the next one. */
  get floor(): number {
    let floor = this.#nextSequence;
    for (const sequence of this.#waitedFor) floor = Math.min(floor, sequence);
    return floor;
  }

  add(made: NewCall): Call {
    const call: Call = {
      ...made,
      id: this.#nextId++,
      sequence: undefined,
      state: "queued",
      attempts: 0,
      isUnanswered: false,
      wakeAtMs: 0,
      trouble: "",
    };
    this.#open.set(call.id, call);
    return call;
  }

  /** The requests of the next frame, in order; empty when there is nothing to send. */
  takeFrame(): Request[] {
    const calls: Call[] = [];
    for (const call of this.#open.values()) {
      if (call.state === "queued") calls.push(call);
      if (calls.length === FRAME_CALLS_MAX) break;
    }
    for (const call of calls) {
      call.state = "in flight";
      call.attempts += 1;
      if (call.isMutation && call.sequence === undefined) {
        call.sequence = this.#nextSequence++;
        this.#waitedFor.add(call.sequence);
      }
    }
    const firstIncomplete = this.floor;
    return calls.map(({ id, method, params, sequence }) =>
      sequence === undefined
        ? { id, method, params }
        : { id, method, params, sequence, firstIncomplete },
    );
  }

  /** Takes in a reply; undefined: it answers no open call, or says nothing about who leads. */
  answered(reply: Reply, nowMs: number): Verdict | undefined {
    const call = this.#open.get(reply.id);
    if (call === undefined || call.state !== "in flight") return undefined;
    if (reply.ok) {
      this.#settle(call);
      call.resolve(reply.result);
      return { kind: "serves" };
    }
    const error = new QueueError(reply.error);
    call.trouble = error.message;
    if (error.tag === "NotLeader") {
      this.#delay(call, nowMs, 0);
      const { epoch = -1, brokerAddress = "" } = error.wire;
      return { kind: "refuses", epoch, address: brokerAddress };
    }
    if (error.tag === "Unavailable" || error.tag === "OutcomeUnknown") {
      call.isUnanswered ||= error.tag === "OutcomeUnknown";
      this.#delay(call, nowMs, error.wire.retryAfterMs ?? 0);
      return undefined;
    }
    this.#settle(call);
    call.reject(call.isUnanswered && call.isMutation ? outcomeUnknown(error.message) : error);
    return undefined;
  }

  /** The connection has ended: what was on it goes out again on the next one. */
  connectionLost(why: string): void {
    for (const call of this.#open.values()) {
      if (call.state === "in flight") {
        call.isUnanswered = true;
        call.trouble = why;
      }
      call.state = "queued";
    }
  }

  /** Calls whose pause is over go out again; returns whether there are any. */
  wake(nowMs: number): boolean {
    let woken = false;
    for (const call of this.#open.values()) {
      if (call.state !== "delayed" || call.wakeAtMs > nowMs) continue;
      call.state = "queued";
      woken = true;
    }
    return woken;
  }

  /** Gives up what has been tried for too long. */
  expire(nowMs: number): void {
    for (const call of this.#open.values()) {
      if (call.deadlineMs > nowMs) continue;
      const isInFlight = call.state === "in flight";
      const mayBeApplied = call.isMutation && (call.isUnanswered || isInFlight);
      this.#settle(call);
      const why = tellWhy(call.trouble, isInFlight);
      call.reject(mayBeApplied ? outcomeUnknown(why) : unavailable(why));
    }
  }

  #settle(call: Call): void {
    call.state = "settled";
    this.#open.delete(call.id);
    // It is certain now that it is not sent again: the floor may rise.
    if (call.sequence !== undefined) this.#waitedFor.delete(call.sequence);
  }

  #delay(call: Call, nowMs: number, atLeastMs: number): void {
    const longest = Math.min(BACKOFF_MS_MIN * 2 ** Math.min(call.attempts, 10), BACKOFF_MS_MAX);
    call.state = "delayed";
    call.wakeAtMs = nowMs + Math.max(atLeastMs, longest * (0.5 + this.#random() / 2));
  }
}

/** Of a call that is given up: why, and where an answer was waited for, what came before that. */
function tellWhy(trouble: string, isInFlight: boolean): string {
  if (!isInFlight) return trouble || "no broker was reached";
  return trouble === "" ? "no answer in time" : `no answer in time; before that, ${trouble}`;
}
