import { EmptyState } from "../../parts/EmptyState.tsx";

export function JobsPage() {
  return (
    <EmptyState title="Not here yet">
      This page is not built yet. <code>osqueue jobs</code> lists the jobs, and{" "}
      <code>osqueue job ID</code> shows one.
    </EmptyState>
  );
}
