import { EmptyState } from "../../parts/EmptyState.tsx";

export function DashboardPage() {
  return (
    <EmptyState title="Not here yet">
      This page is not built yet. <code>osqueue top</code> shows the queue live.
    </EmptyState>
  );
}
