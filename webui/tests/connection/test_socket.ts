/** The other end of a connection, for tests that play the broker. */

import { decodeMessage, encodeMessage } from "../../src/connection/encoding.ts";

/** A socket whose other end is this test. */
export class TestSocket {
  static opened: TestSocket[] = [];
  readonly url: string;
  readonly sent: any[] = [];
  binaryType = "";
  isClosed = false;
  onopen = (): void => {};
  onmessage = (_: { data: unknown }): void => {};
  onclose = (_: { reason: string }): void => {};

  constructor(url: string) {
    this.url = url;
    TestSocket.opened.push(this);
  }

  send(bytes: Uint8Array): void {
    this.sent.push(decodeMessage(bytes));
  }

  close(): void {
    this.isClosed = true;
  }

  say(message: unknown): void {
    const bytes = encodeMessage(message);
    this.onmessage({ data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) });
  }

  /** What a broker that leads answers to the greeting. */
  lead(): void {
    this.onopen();
    this.say({ id: "hello", ok: true, result: { brokerAddress: "a:1", epoch: 7, limits: {} } });
    this.say({ id: "getStats", ok: true, result: { commitId: "7-1-a" } });
    this.say({ id: "subscribe", ok: true, result: {} });
  }
}
