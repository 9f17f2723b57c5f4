/** A dense table of real rows. Long lists with windows of their own are the Jobs page's. */

import type { ComponentChildren, Key } from "preact";

export interface Column<Row> {
  name: string;
  /** What a cell shows. */
  cell: (row: Row) => ComponentChildren;
  /** Numbers stand at the right, ids and JSON in monospace. */
  kind?: "number" | "id" | undefined;
  /** Left out on a phone. */
  isSecondary?: boolean;
}

interface Given<Row> {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => Key;
}

export function Table<Row>({ label, columns, rows, keyOf }: Given<Row>) {
  return (
    <div class="table-frame">
      <table aria-label={label}>
        <thead>
          <tr>
            {columns.map(({ name, kind, isSecondary }) => (
              <th key={name} scope="col" data-kind={kind} data-secondary={isSecondary}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ name, cell, kind, isSecondary }) => (
                <td key={name} data-kind={kind} data-secondary={isSecondary}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
