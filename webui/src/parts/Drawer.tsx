/** What opens on the right (the whole page on a phone) while the list behind it stays in place. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useFocusBack } from "./useFocusBack.ts";

interface Given {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

export function Drawer({ title, onClose, children }: Given) {
  useFocusBack();
  const drawer = useRef<HTMLElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    drawer.current?.focus();
    const onKey = (event: KeyboardEvent): void => {
      // A dialog above it takes the key for itself.
      if (document.querySelector("dialog[open]") !== null) return;
      if (event.key === "Escape" && !event.defaultPrevented) close.current();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return (
    <aside ref={drawer} class="drawer" tabIndex={-1} aria-label={title}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={onClose}>
          ✕
        </button>
      </header>
      {children}
    </aside>
  );
}
