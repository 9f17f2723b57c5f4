/**
 * What is selected in a list of which only a part is loaded.
 *
 * Either single jobs, by id, or everything that the filter matches. Shift extends from the row that
 * was touched last over the rows that are known; what lies between and is not loaded cannot be
 * named, and stays out.
 */

export interface Selection {
  ids: ReadonlySet<string>;
  /** The row that was touched last, from which shift extends. */
  anchor: number;
  /** Everything that the filter matches, loaded or not. */
  isAll: boolean;
}

export const NOTHING: Selection = { ids: new Set(), anchor: -1, isAll: false };
export const EVERYTHING: Selection = { ids: new Set(), anchor: -1, isAll: true };

/** Add the job of this row, or take it away. */
export function toggle(selection: Selection, row: number, id: string): Selection {
  const ids = new Set(selection.isAll ? [] : selection.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, anchor: row, isAll: false };
}

/** Add every known row from the anchor to this one. `idAt` knows the loaded rows. */
export function extend(
  selection: Selection,
  row: number,
  idAt: (row: number) => string | undefined,
): Selection {
  const from = selection.anchor < 0 ? row : selection.anchor;
  const ids = new Set(selection.isAll ? [] : selection.ids);
  for (let at = Math.min(from, row); at <= Math.max(from, row); at++) {
    const id = idAt(at);
    if (id !== undefined) ids.add(id);
  }
  return { ids, anchor: from, isAll: false };
}

/** Whether this job is selected. */
export function holds(selection: Selection, id: string): boolean {
  return selection.isAll || selection.ids.has(id);
}

/** How many are selected, of `matching` that the filter finds. */
export function count(selection: Selection, matching: number): number {
  return selection.isAll ? matching : selection.ids.size;
}
