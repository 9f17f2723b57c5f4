/**
 * MessagePack as the page speaks it.
 *
 * Whole numbers beyond 2^53 are `bigint`, all others `number`, so that payloads are shown exactly.
 * The library knows only "every 64-bit number is a bigint": both directions are adjusted here.
 */

import { decode, encode } from "@msgpack/msgpack";

const UINT32_MAX = 0xffff_ffff;
const INT32_MIN = -0x8000_0000;
// The broker's own `depthMax` is 64 for a payload; a frame adds a few levels.
const DEPTH_MAX = 300;

/** @throws Error: a value has no form on the wire. */
export function encodeMessage(value: unknown): Uint8Array<ArrayBuffer> {
  const options = { useBigInt64: true, ignoreUndefined: true, maxDepth: DEPTH_MAX };
  return encode(map(value, widen), options) as Uint8Array<ArrayBuffer>;
}

/** @throws Error: the bytes are no MessagePack. */
export function decodeMessage(bytes: ArrayBuffer | Uint8Array): unknown {
  return map(decode(bytes, { useBigInt64: true }), narrow);
}

function widen(leaf: unknown): unknown {
  if (typeof leaf !== "number" || !Number.isSafeInteger(leaf)) return leaf;
  return leaf > UINT32_MAX || leaf < INT32_MIN ? BigInt(leaf) : leaf;
}

function narrow(leaf: unknown): unknown {
  if (typeof leaf !== "bigint") return leaf;
  const number = Number(leaf);
  return Number.isSafeInteger(number) ? number : leaf;
}

/** Copies lists and objects only where a leaf of theirs changes. */
function map(value: unknown, leafOf: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    for (let index = 0; index < value.length; index++) {
      const mapped = map(value[index], leafOf);
      if (mapped === value[index]) continue;
      copy ??= [...value];
      copy[index] = mapped;
    }
    return copy ?? value;
  }
  if (value !== null && typeof value === "object") {
    let copy: Record<string, unknown> | undefined;
    for (const [key, item] of Object.entries(value)) {
      const mapped = map(item, leafOf);
      if (mapped === item) continue;
      copy ??= { ...value };
      copy[key] = mapped;
    }
    return copy ?? value;
  }
  return leafOf(value);
}
