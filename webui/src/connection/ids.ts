/** Ids that are made before the first attempt, so that a repeat is the same request. */

/** UUIDv7 (RFC 9562, section 5.7): ids of jobs sort by the time they were made. */
export function makeJobId(nowMs: number = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(nowMs / 2 ** 32));
  view.setUint32(2, nowMs % 2 ** 32);
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  const hex = toHex(bytes);
  return [0, 8, 12, 16, 20]
    .map((start, index, all) => hex.slice(start, all[index + 1] ?? 32))
    .join("-");
}

/** Random hexadecimal digits: client ids, claim ids, the names of tabs. */
export function makeRandomHex(bytes: number): string {
  return toHex(crypto.getRandomValues(new Uint8Array(bytes)));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
