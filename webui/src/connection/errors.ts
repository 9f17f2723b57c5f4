/** Why a call did not succeed, as the broker says it or as the page finds it. */

/** What the caller should do (docs/protocol.md, Errors). */
export type Advice =
  | "fix the request"
  | "fix the client"
  | "fix credentials"
  | "drop the work"
  | "look again"
  | "retry later"
  | "ask the leader"
  | "look it up"
  | "tell the operator";

/** An error object as it travels. */
export interface WireError {
  _tag: string;
  message: string;
  advice: Advice;
  epoch?: number;
  brokerAddress?: string;
  retryAfterMs?: number;
}

/** An error of the queue. Act by `advice`; `message` is for people. */
export class QueueError extends Error {
  readonly tag: string;
  readonly advice: Advice;
  readonly wire: WireError;

  constructor(wire: WireError) {
    super(wire.message);
    this.name = wire._tag;
    this.tag = wire._tag;
    this.advice = wire.advice;
    this.wire = wire;
  }
}

/** What people are told of a call that failed: why, and what to do; anything else is thrown on. */
export function explain(error: unknown): string {
  if (!(error instanceof QueueError)) throw error;
  return `${error.message} (${error.advice})`;
}

/** It may have been applied: nobody will ever know from here. */
export function outcomeUnknown(why: string): QueueError {
  const message = `It is not known whether this was applied: ${why}`;
  return new QueueError({ _tag: "OutcomeUnknown", message, advice: "look it up" });
}

/** Nothing was applied. */
export function unavailable(why: string): QueueError {
  return new QueueError({ _tag: "Unavailable", message: why, advice: "retry later" });
}
