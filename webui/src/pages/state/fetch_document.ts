/** Reads GET /state from the broker that leads, as far as a tab can bear. */

import { DocumentReader, type StoredDocument } from "./stored_document.ts";

/** What a document may weigh by default; a larger one is shown up to here. */
export const BYTES_MAX = 67_108_864;

export interface Fetched {
  document: StoredDocument;
  bytes: number;
  /** The document goes on beyond BYTES_MAX. */
  isCut: boolean;
}

/**
 * @param onBytes told how many bytes have come, while more are to come.
 * @throws Error: the broker could not be asked, or refused; says why.
 */
export async function fetchDocument(
  origin: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Fetched> {
  const headers = { Accept: "application/json" };
  const response = await fetch(`${origin}/state`, { headers, signal });
  if (!response.ok || response.body === null) throw new Error(await reasonOf(response));
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const lines = new DocumentReader();
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    lines.add(decoder.decode(value, { stream: true }));
    onBytes(bytes);
    if (bytes < BYTES_MAX) continue;
    await reader.cancel();
    return { document: lines.finish(), bytes, isCut: true };
  }
  return { document: lines.finish(), bytes, isCut: false };
}

async function reasonOf(response: Response): Promise<string> {
  try {
    const error = (await response.json()) as { message?: string; advice?: string };
    return `${error.message} (${error.advice})`;
  } catch {
    return `the broker answered ${response.status}`;
  }
}
