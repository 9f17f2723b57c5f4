import { EmptyState } from "../../parts/EmptyState.tsx";

export function StatePage() {
  return (
    <EmptyState title="Not here yet">
      This page is not built yet. <code>curl {location.origin}/state</code> prints the document as
      committed.
    </EmptyState>
  );
}
