/**
 * A modal dialog: focus stays inside, Escape closes it, the page behind stands still.
 *
 * Focus starts at what is marked with `data-first`, otherwise at the first control.
 */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useFocusBack } from "./useFocusBack.ts";

interface Given {
  title: string;
  onClose: () => void;
  /** It shows keys, and the one that opened it closes it. */
  "data-keys"?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children, ...rest }: Given) {
  useFocusBack();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => element?.close();
  }, []);
  return (
    <dialog
      {...rest}
      ref={dialog}
      class="dialog"
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div class="dialog-inside">
        <header>
          <h2>{title}</h2>
          <button type="button" class="quiet" aria-label="Close" onClick={onClose}>
            ✕
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
