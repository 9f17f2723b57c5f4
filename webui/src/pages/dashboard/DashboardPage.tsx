/** One glance answers "is it fine?": counts, rates, the one file, who works, what happens. */

import { Activity } from "./Activity.tsx";
import { CommitPane } from "./CommitPane.tsx";
import { Counts } from "./Counts.tsx";
import { Leaders } from "./Leaders.tsx";
import { LatencyChart, ThroughputChart } from "./RateCharts.tsx";
import { WorkerList } from "./WorkerList.tsx";
import "./dashboard.css";

export function DashboardPage() {
  return (
    <div class="dashboard">
      <h1 class="spoken">Dashboard</h1>
      <Counts />
      <div class="pair">
        <ThroughputChart />
        <LatencyChart />
      </div>
      <CommitPane />
      <div class="pair">
        <WorkerList />
        <Activity />
      </div>
      <Leaders />
    </div>
  );
}
