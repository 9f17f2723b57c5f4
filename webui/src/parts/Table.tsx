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
  /** In CSS pixels, a little less on a phone. Where one column has a width the others share the rest, and cut what is long. */
  width?: number;
}

interface Given<Row> {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => Key;
}

export function Table<Row>({ label, columns, rows, keyOf }: Given<Row>) {
  const isFixed = columns.some(({ width }) => width !== undefined);
  return (
    <div class="table-frame">
      <table aria-label={label} data-fixed={isFixed}>
        {isFixed && (
          <colgroup>
            {columns.map(({ name, width, isSecondary }) => (
              <col
                key={name}
                data-secondary={isSecondary}
                style={width === undefined ? {} : { "--column": `${width}px` }}
              />
            ))}
          </colgroup>
        )}
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
