import type { ComponentChildren } from "preact";
import { navigate } from "./router.ts";

interface Given {
  to: string;
  children: ComponentChildren;
  class?: string;
  title?: string;
  /** Only its beginning may be in sight. */
  "data-preview"?: boolean;
  "aria-label"?: string | undefined;
  "aria-current"?: "page" | undefined;
}

/** A link within the page; opened in another tab it is an ordinary one. */
export function Link({ to, children, ...rest }: Given) {
  return (
    <a
      {...rest}
      href={to}
      onClick={(event) => {
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}
