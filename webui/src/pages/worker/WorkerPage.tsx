import { EmptyState } from "../../parts/EmptyState.tsx";

export function WorkerPage() {
  return (
    <EmptyState title="Not here yet">
      This page is not built yet. <code>osqueue worker FILE:worker</code> starts a worker.
    </EmptyState>
  );
}
