import { useEffect, useRef } from "preact/hooks";
import { bindKeys, type Key } from "./keys.ts";

/** Binds keys for as long as the component is shown; `act` may change with every render. */
export function useKeys(keys: readonly Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  const names = keys.map((key) => key.keys).join("\n");
  useEffect(
    () =>
      bindKeys(
        latest.current.map(({ keys, what }, index) => ({
          keys,
          what,
          act: () => latest.current[index]?.act(),
        })),
      ),
    [names],
  );
}
