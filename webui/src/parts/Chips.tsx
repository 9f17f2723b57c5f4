/** A row of choices of which one holds, each with its count: a filter by status, a kind of rate. */

import { formatCount } from "../figures/format.ts";

export interface Chip<Value extends string> {
  value: Value;
  name: string;
  count?: number | undefined;
}

interface Given<Value extends string> {
  label: string;
  chips: readonly Chip<Value>[];
  chosen: Value;
  onChoose: (value: Value) => void;
}

export function Chips<Value extends string>({ label, chips, chosen, onChoose }: Given<Value>) {
  return (
    <div class="chips" role="group" aria-label={label}>
      {chips.map(({ value, name, count }) => (
        <button
          key={value}
          type="button"
          class="chip"
          aria-pressed={value === chosen}
          onClick={() => onChoose(value)}
        >
          {name} {count !== undefined && <span class="chip-count">{formatCount(count)}</span>}
        </button>
      ))}
    </div>
  );
}
