/**
 * A number that counts to its new value in place, within 150 ms; at once where motion is unwanted.
 *
 * `data-value` is the value itself, for whoever reads it by a program.
 */

import { useEffect, useRef } from "preact/hooks";
import { formatCount } from "../figures/format.ts";

const MOTION_MS = 150;
const isStill = matchMedia("(prefers-reduced-motion: reduce)");

export function Count({ value }: { value: number }) {
  const element = useRef<HTMLSpanElement>(null);
  const shown = useRef(value);
  const first = useRef(formatCount(value));
  useEffect(() => {
    const from = shown.current;
    if (from === value || element.current === null) return undefined;
    const start = performance.now();
    let frame = 0;
    const step = (now: number): void => {
      const share = isStill.matches ? 1 : Math.min(Math.max((now - start) / MOTION_MS, 0), 1);
      shown.current = Math.round(from + (value - from) * share);
      if (element.current !== null) element.current.textContent = formatCount(shown.current);
      if (share < 1) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [value]);
  // The text is the effect's: a render must not set it back.
  return (
    <span ref={element} data-value={value}>
      {first.current}
    </span>
  );
}
