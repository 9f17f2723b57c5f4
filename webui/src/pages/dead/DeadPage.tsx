import { EmptyState } from "../../parts/EmptyState.tsx";

export function DeadPage() {
  return (
    <EmptyState title="Not here yet">
      This page is not built yet. <code>osqueue dead</code> lists the dead letters,{" "}
      <code>osqueue redrive</code> makes them claimable again.
    </EmptyState>
  );
}
