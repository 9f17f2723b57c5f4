/** What the writes and reads of a queue cost on a bucket, each month, at a given rate. */

const SECONDS_A_MONTH = 30 * 24 * 3_600;
// S3 Standard and GCS Standard in a common region; the docs name date and source.
const DOLLARS_A_WRITE = 0.005 / 1_000;
const DOLLARS_A_READ = 0.0004 / 1_000;

/** Requests only: traffic within a region is free, and so small an object costs cents. */
export function dollarsAMonth(writesPerSecond: number, readsPerSecond: number): number {
  return SECONDS_A_MONTH * (writesPerSecond * DOLLARS_A_WRITE + readsPerSecond * DOLLARS_A_READ);
}
