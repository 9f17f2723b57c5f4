/** Whether the window is a phone's: rows have two lines there, and a job opens as a page. */

import { signal } from "@preact/signals";

const narrow = matchMedia("(max-width: 720px)");
export const isNarrow = signal(narrow.matches);
narrow.addEventListener("change", (event) => {
  isNarrow.value = event.matches;
});
