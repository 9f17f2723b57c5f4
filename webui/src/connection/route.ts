/**
 * Which broker to try next, and when: decided from what happened. No timers, no sockets.
 *
 * The page knows the broker that it came from and that broker's peers (PEER_URLS). A leader that
 * is named is tried first, the highest epoch counts; one outside that list is never connected to
 * (the content security policy forbids it, too) but shown, so that a person can go there.
 */

const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 5_000;

export class Route {
  readonly #origins: readonly string[];
  readonly #random: () => number;
  #turn = 0;
  #named: string | undefined;
  #epoch = -1;
  #failures = 0;
  /** A leader that this page may not connect to, as host:port. */
  elsewhere = "";

  /** @param origins like http://10.0.0.7:8080, the page's own first. */
  constructor(origins: readonly string[], random: () => number = Math.random) {
    this.#origins = [...new Set(origins)];
    this.#random = random;
  }

  /** The broker to try now. */
  get origin(): string {
    return this.#named ?? this.#origins[this.#turn % this.#origins.length] ?? "";
  }

  /** How long to wait before the next try: at once for the first round, then ever longer. */
  waitMs(): number {
    const round = Math.floor((this.#failures - 1) / this.#origins.length);
    if (this.#failures === 0) return 0;
    const longest = Math.min(WAIT_MS_MIN * 2 ** Math.min(round, 10), WAIT_MS_MAX);
    return Math.round(longest * (0.75 + this.#random() / 4));
  }

  /** The broker answers as the leader. */
  served(): void {
    this.#failures = 0;
    this.elsewhere = "";
    // Stay with it: after a lost connection it is tried first.
    this.#turn = Math.max(this.#origins.indexOf(this.origin), 0);
    this.#named = undefined;
  }

  /** The broker could not be reached, or the connection has ended: the next one's turn. */
  failed(): void {
    this.#failures += 1;
    if (this.#named === undefined) this.#turn += 1;
    this.#named = undefined;
  }

  /** The broker does not lead; `address` says who does, where that is known (else empty). */
  refused(epoch: number, address: string): void {
    this.#failures += 1;
    const asked = this.origin;
    this.#named = undefined;
    const origin = this.#origins.find((one) => addressOf(one) === plain(address));
    this.elsewhere = address !== "" && origin === undefined ? address : "";
    if (origin === undefined || origin === asked || epoch < this.#epoch) {
      this.#turn += 1;
      return;
    }
    this.#epoch = epoch;
    this.#named = origin;
  }
}

/** The WebSocket of a broker. */
export function websocketUrl(origin: string): string {
  return `${origin.replace(/^http/, "ws")}/v1/ws`;
}

/** Where a broker listens, as NotLeader says it: host:port. */
export function addressOf(origin: string): string {
  const url = new URL(origin);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return plain(`${url.hostname}:${port}`);
}

/** One spelling for this machine. */
function plain(address: string): string {
  return address.toLowerCase().replace(/^(localhost|\[::1\]):/, "127.0.0.1:");
}
