/** Values of a line that no line would show. */

/** Where the values are that have no neighbour to draw a line to. */
export function findLonely(values: ArrayLike<number | null | undefined>): number[] {
  const lonely: number[] = [];
  for (let at = 0; at < values.length; at++) {
    const isAlone = values[at - 1] == null && values[at + 1] == null;
    if (values[at] != null && isAlone) lonely.push(at);
  }
  return lonely;
}
