/** What opens above the page gives the focus back when it closes. */

import { useEffect } from "preact/hooks";

/**
 * To what had the focus when this opened; where that is gone, to the page. Call it before what moves the focus.
 *
 * Preact cleans up after the next paint: who has typed `/` by then keeps the focus.
 */
export function useFocusBack(): void {
  useEffect(() => {
    const before = document.activeElement;
    return () => {
      if (document.activeElement !== document.body) return;
      const isThere = before instanceof HTMLElement && before.isConnected;
      const target = isThere && before !== document.body ? before : contentOfPage();
      target?.focus({ preventScroll: true });
    };
  }, []);
}

function contentOfPage(): HTMLElement | null {
  return document.getElementById("content");
}
