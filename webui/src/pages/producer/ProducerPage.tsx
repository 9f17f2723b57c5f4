import { EmptyState } from "../../parts/EmptyState.tsx";

export function ProducerPage() {
  return (
    <EmptyState title="Not here yet">
      This page is not built yet. <code>osqueue submit TYPE PAYLOAD</code> submits a job.
    </EmptyState>
  );
}
