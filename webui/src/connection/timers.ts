/**
 * Timers that a hidden tab keeps: they run in a thread of their own.
 *
 * Browsers wake the timers of a hidden page once a second, after some minutes once a minute; a lease
 * would run out meanwhile. Timers of a Web Worker are not held back. Where there is none (an old
 * browser, a test), or it does not start, they are the page's own.
 */

type Act = () => void;

interface Timer {
  ms: number;
  isRepeated: boolean;
  act: Act;
  /** Of the page's own timer, where there is no thread. */
  own?: ReturnType<typeof setInterval>;
}

/** To the thread: start this timer, or (`ms` absent) stop it. */
export interface Order {
  id: number;
  ms?: number;
  isRepeated?: boolean;
}

const timers = new Map<number, Timer>();
let nextId = 1;
let thread: Worker | undefined;
let isWithoutThread = typeof Worker === "undefined";

/** Acts every so many ms until the returned function is called. */
export function every(ms: number, act: Act): () => void {
  return begin({ ms, isRepeated: true, act });
}

/** Acts once after so many ms, unless the returned function is called before. */
export function after(ms: number, act: Act): () => void {
  return begin({ ms, isRepeated: false, act });
}

function begin(timer: Timer): () => void {
  const id = nextId++;
  timers.set(id, timer);
  const { ms, isRepeated } = timer;
  if (thread === undefined && !isWithoutThread) openThread();
  if (thread === undefined) beginOwn(id, timer);
  else thread.postMessage({ id, ms, isRepeated } satisfies Order);
  return () => {
    if (!timers.delete(id)) return;
    clearInterval(timer.own);
    thread?.postMessage({ id } satisfies Order);
  };
}

function fire(id: number): void {
  const timer = timers.get(id);
  if (timer?.isRepeated === false) timers.delete(id);
  timer?.act();
}

function beginOwn(id: number, timer: Timer): void {
  const set = timer.isRepeated ? setInterval : setTimeout;
  timer.own = set(() => fire(id), timer.ms);
}

function openThread(): void {
  try {
    thread = new Worker(new URL("./timer_thread.ts", import.meta.url), { type: "module" });
  } catch {
    // The browser refuses workers: said by what it then does, timers of the page.
    isWithoutThread = true;
    return;
  }
  thread.onmessage = ({ data }: MessageEvent<number>) => fire(data);
  thread.onerror = () => {
    thread?.terminate();
    thread = undefined;
    isWithoutThread = true;
    for (const [id, timer] of timers) beginOwn(id, timer);
  };
}
