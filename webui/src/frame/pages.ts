/** The pages: their names in the bar, their addresses and their keys. */

export interface Page {
  name: string;
  address: string;
  /** After `g`. */
  key: string;
}

export const PAGES: readonly Page[] = [
  { name: "Dashboard", address: "/", key: "d" },
  { name: "Jobs", address: "/jobs", key: "j" },
  { name: "Dead", address: "/dead", key: "x" },
  { name: "Producer", address: "/producer", key: "p" },
  { name: "Worker", address: "/worker", key: "w" },
  { name: "State", address: "/state", key: "s" },
];

/** Whether an address lies on a page: /jobs/ID is one of Jobs. */
export function isOnPage(path: string, page: Page): boolean {
  return page.address === "/" ? path === "/" : `${path}/`.startsWith(`${page.address}/`);
}
