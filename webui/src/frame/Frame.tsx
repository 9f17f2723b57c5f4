/** The bar, what must be said, and the page that the address names. */

import { useSignalEffect } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isLive, stats, togglePaused } from "../live/queue.ts";
import { DashboardPage } from "../pages/dashboard/DashboardPage.tsx";
import { DeadPage } from "../pages/dead/DeadPage.tsx";
import { JobsPage } from "../pages/jobs/JobsPage.tsx";
import { ProducerPage } from "../pages/producer/ProducerPage.tsx";
import { StatePage } from "../pages/state/StatePage.tsx";
import { WorkerPage } from "../pages/worker/WorkerPage.tsx";
import { EmptyState } from "../parts/EmptyState.tsx";
import { LiveRegion, say } from "../parts/LiveRegion.tsx";
import { Link } from "../router/Link.tsx";
import { navigate, path } from "../router/router.ts";
import { Bar } from "./Bar.tsx";
import { isSheetOpen, KeySheet } from "./KeySheet.tsx";
import { Notices } from "./Notices.tsx";
import { isOnPage, PAGES } from "./pages.ts";
import { useKeys } from "./useKeys.ts";

const COMPONENTS: Record<string, FunctionComponent> = {
  "/": DashboardPage,
  "/jobs": JobsPage,
  "/dead": DeadPage,
  "/producer": ProducerPage,
  "/worker": WorkerPage,
  "/state": StatePage,
};

export function Frame() {
  useKeys([
    ...PAGES.map((page) => ({
      keys: `g ${page.key}`,
      what: `Go to ${page.name}`,
      act: () => navigate(page.address),
    })),
    { keys: ".", what: "Pause or resume live updates", act: togglePaused },
    { keys: "?", what: "Show all keys", act: () => (isSheetOpen.value = !isSheetOpen.peek()) },
  ]);
  const page = PAGES.find((one) => isOnPage(path.value, one));
  useSignalEffect(() => {
    const shown = PAGES.find((one) => isOnPage(path.value, one));
    document.title = makeTitle(shown?.name ?? "osqueue", stats.value?.dead ?? 0);
  });
  useArrival(page?.name ?? "No such page");
  const Component = page && COMPONENTS[page.address];
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <Bar />
      <main id="content" tabIndex={-1} data-live={isLive.value}>
        <Notices />
        {Component ? <Component /> : <NoSuchPage />}
      </main>
      <KeySheet />
      <LiveRegion />
    </>
  );
}

/** Says which page has come, and puts the focus there unless it stands on the page or on its link. */
function useArrival(name: string): void {
  const before = useRef(name);
  useEffect(() => {
    if (before.current === name) return;
    before.current = name;
    say(name);
    const focused = document.activeElement;
    const content = document.getElementById("content");
    const isOnLink = focused?.matches(".bar [aria-current]");
    if (!isOnLink && !content?.contains(focused)) content?.focus({ preventScroll: true });
  }, [name]);
}

/** What the tab is called: first what needs a look. */
export function makeTitle(page: string, dead: number): string {
  const name = page === "Dashboard" ? "osqueue" : `${page} · osqueue`;
  return dead > 0 ? `${dead} dead · ${name}` : name;
}

function NoSuchPage() {
  return (
    <EmptyState title="There is no such page">
      The bar above leads to all there are; the <Link to="/">dashboard</Link> is the first.
    </EmptyState>
  );
}
