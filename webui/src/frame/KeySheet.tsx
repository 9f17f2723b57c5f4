/** All keys that work on the page shown, opened by `?`. */

import { signal } from "@preact/signals";
import { Dialog } from "../parts/Dialog.tsx";
import { boundKeys } from "./keys.ts";

export const isSheetOpen = signal(false);

export function KeySheet() {
  if (!isSheetOpen.value) return null;
  const keys = new Map(boundKeys.value.map((key) => [key.keys, key.what]));
  return (
    <Dialog title="Keys" data-keys onClose={() => (isSheetOpen.value = false)}>
      <dl class="keys">
        {[...keys].map(([typed, what]) => (
          <div key={typed}>
            <dt>
              {typed.split(" ").map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
