/** Numbers as people read them: short, steady in width, never wrong in the last digit shown. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const counts = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 48,201 */
export function formatCount(count: number): string {
  return counts.format(count);
}

/** 1 job, 2 jobs, 1,204 jobs */
export function formatJobs(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "job" : "jobs"}`;
}

/** 0.4/s, 31/s, 1,204/s */
export function formatRate(perSecond: number): string {
  return `${shorten(perSecond)}/s`;
}

/** 412 ms, 2.1 s, 40 s, 3 min 20 s, 5 h 2 min, 3 d 4 h */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 9.95 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < 59.5 * SECOND) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR) return parts(ms, MINUTE, "min", SECOND, "s");
  if (ms < DAY) return parts(ms, HOUR, "h", MINUTE, "min");
  return parts(ms, DAY, "d", HOUR, "h");
}

/** 0.4 s, 2.1 s, 40 s: for what is told again all the time, and not to the millisecond */
export function formatAge(milliseconds: number): string {
  if (milliseconds >= SECOND) return formatDuration(milliseconds);
  return `${(Math.max(0, milliseconds) / SECOND).toFixed(1)} s`;
}

/** 0.4 s, 40 s, 3 min, 5 h: the largest unit alone, where one word is enough */
export function formatRough(milliseconds: number): string {
  return formatAge(milliseconds).split(" ", 2).join(" ");
}

/** Milliseconds where they stand alone in a column: 0.4 ms, 12 ms, 1,204 ms */
export function formatMilliseconds(ms: number): string {
  return `${shorten(ms)} ms`;
}

/** 512 B, 1.2 kB, 64 MB: powers of 1,000, as stores bill them */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 ? counts.format(value) : shorten(value)} ${units[unit]}`;
}

/** $0.00, $1.83, $130 */
export function formatDollars(dollars: number): string {
  return dollars < 99.995 ? `$${dollars.toFixed(2)}` : `$${counts.format(dollars)}`;
}

/** 12:04:31, on this machine's clock and in its time zone */
export function formatTime(at: number): string {
  const date = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** 2026-11-24 12:04:31, for what may be days old */
export function formatDateTime(at: number): string {
  const date = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${formatTime(at)}`;
}

/** The first digits and the last: 0199…c3f2. What is short stays whole. */
export function shortenId(id: string): string {
  return id.length <= 14 ? id : `${id.slice(0, 4)}…${id.slice(-4)}`;
}

/** 7-48211-9f3a…: the term, the write of its broker, and the broker's name shortened */
export function shortenCommit(commitId: string): string {
  const [epoch, sequence, broker = ""] = commitId.split("-");
  return `${epoch}-${sequence}-${broker.slice(0, 4)}…`;
}

/** One digit after the point below ten, none from there on; no ".0". */
function shorten(value: number): string {
  if (value >= 9.95) return counts.format(value);
  return String(Math.round(value * 10) / 10);
}

function parts(ms: number, big: number, bigUnit: string, small: number, smallUnit: string): string {
  const smalls = Math.round(ms / small);
  const whole = Math.floor((smalls * small) / big);
  const rest = smalls - (whole * big) / small;
  return rest === 0 ? `${whole} ${bigUnit}` : `${whole} ${bigUnit} ${rest} ${smallUnit}`;
}
