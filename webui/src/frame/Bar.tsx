/** The bar: the pages, the badge, the switch between light and dark. */

import { useEffect, useRef } from "preact/hooks";
import { formatCount } from "../figures/format.ts";
import { stats } from "../live/queue.ts";
import { Link } from "../router/Link.tsx";
import { path } from "../router/router.ts";
import { Badge } from "./Badge.tsx";
import { isOnPage, PAGES, type Page } from "./pages.ts";
import { theme, toggleTheme } from "./theme.ts";

export function Bar() {
  const next = theme.value === "dark" ? "light" : "dark";
  const nav = useRef<HTMLElement>(null);
  const hasDead = (stats.value?.dead ?? 0) > 0;
  // On a phone the links scroll sideways: the page that one is on is brought into sight.
  useEffect(() => {
    const here = nav.current?.querySelector("[aria-current]");
    here?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [path.value, hasDead]);
  return (
    <header class="bar">
      <div class="bar-inside">
        <Link to="/" class="mark" aria-label="osqueue, to the dashboard">
          osqueue
        </Link>
        <nav ref={nav} aria-label="Pages">
          {PAGES.map((page) => (
            <PageLink key={page.address} page={page} />
          ))}
        </nav>
        <Badge />
        <button
          type="button"
          class="quiet theme"
          aria-label={`Use the ${next} colours`}
          title={`Use the ${next} colours`}
          onClick={toggleTheme}
        >
          ◐
        </button>
      </div>
    </header>
  );
}

function PageLink({ page }: { page: Page }) {
  const dead = page.address === "/dead" ? (stats.value?.dead ?? 0) : 0;
  return (
    <Link to={page.address} aria-current={isOnPage(path.value, page) ? "page" : undefined}>
      {page.name} {dead > 0 && <span class="dead-count">{formatCount(dead)}</span>}
    </Link>
  );
}
