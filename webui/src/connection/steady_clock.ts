/**
 * Ms that only grow, and that count while the machine sleeps.
 *
 * `performance.now()` stands still then in some browsers, and the wall clock may be set at any time.
 * So the larger step of the two counts: a call is given up too early at worst, never repeated after
 * the broker has forgotten it.
 */
export class SteadyClock {
  #steadyMs = 0;
  #awakeMs = performance.now();
  #wallMs = Date.now();

  /** The time since the clock was made. */
  now(): number {
    const awakeMs = performance.now();
    const wallMs = Date.now();
    this.#steadyMs += Math.max(awakeMs - this.#awakeMs, wallMs - this.#wallMs);
    this.#awakeMs = awakeMs;
    this.#wallMs = wallMs;
    return this.#steadyMs;
  }
}
