/** The heartbeat of the queue: a thin bar for each commit, as high as its batch was large. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Commit, CommitOutcome } from "../../connection/results.ts";
import { formatBytes, formatCount, formatTime } from "../../figures/format.ts";
import { theme } from "../../frame/theme.ts";
import { BAR_WIDTH, type Bar, findBar, layBars } from "./strip.ts";

const HEIGHT = 64;

export function CommitStrip({ commits }: { commits: readonly Commit[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const bars = useRef<Bar[]>([]);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState<Bar | undefined>(undefined);
  const [full, setFull] = useState(0);
  const shade = theme.value;

  useEffect(() => {
    const element = canvas.current!;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const strip = layBars(commits, width, HEIGHT);
    bars.current = strip.bars;
    setFull(strip.full);
    paint(canvas.current!, bars.current, pointed?.commit.commitId);
  }, [commits, width, pointed, shade]);

  return (
    <div class="strip">
      <canvas
        ref={canvas}
        role="img"
        aria-label={describeStrip(commits)}
        onPointerMove={(event) => setPointed(findBar(bars.current, event.offsetX))}
        onPointerLeave={() => setPointed(undefined)}
      />
      {commits.length > 0 && full > 0 && (
        <span class="strip-scale">{formatCount(full)} mutations</span>
      )}
      {pointed !== undefined && <Tip bar={pointed} width={width} />}
    </div>
  );
}

function Tip({ bar, width }: { bar: Bar; width: number }) {
  const { commit } = bar;
  // It opens to the side where there is room.
  const side = bar.x > width / 2 ? { right: `${width - bar.x}px` } : { left: `${bar.x}px` };
  return (
    <div class="strip-tip" style={side}>
      <span class="id">{commit.commitId}</span>
      <span>
        {formatTime(commit.at)} · {WORDS[commit.outcome]}
      </span>
      <span>{describeCommit(commit)}</span>
    </div>
  );
}

const WORDS: Record<CommitOutcome, string> = {
  landed: "landed",
  conflict: "conflict: another broker has written",
  unknown: "unknown outcome: settled by a read",
};

/** 1.2 MB · 62 mutations · 104 ms */
export function describeCommit(commit: Commit): string {
  const mutations =
    commit.mutations === 1 ? "1 mutation" : `${formatCount(commit.mutations)} mutations`;
  return `${formatBytes(commit.bytes)} · ${mutations} · ${formatCount(commit.milliseconds)} ms`;
}

function describeStrip(commits: readonly Commit[]): string {
  const newest = commits.at(-1);
  if (newest === undefined) return "No commits yet";
  return `The last ${commits.length} commits; the newest has ${describeCommit(newest)}`;
}

/** Landed bars are filled, conflicts hollow, unknown ones dashed. */
function paint(
  canvas: HTMLCanvasElement,
  bars: readonly Bar[],
  pointedId: string | undefined,
): void {
  const scale = devicePixelRatio;
  canvas.width = Math.round(canvas.clientWidth * scale);
  canvas.height = HEIGHT * scale;
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  const style = getComputedStyle(canvas);
  const token = (name: string) => style.getPropertyValue(`--${name}`);
  const colors = { landed: token("running"), conflict: token("dead"), unknown: token("scheduled") };
  pen.scale(scale, scale);
  for (const { commit, x, height } of bars) {
    const top = HEIGHT - height;
    pen.fillStyle = pen.strokeStyle =
      commit.commitId === pointedId ? token("ink") : colors[commit.outcome];
    if (commit.outcome === "landed") {
      pen.fillRect(x, top, BAR_WIDTH, height);
    } else if (commit.outcome === "conflict") {
      const tall = Math.max(height, 12);
      pen.strokeRect(x + 0.5, HEIGHT - tall + 0.5, BAR_WIDTH - 1, tall - 1);
    } else {
      for (let y = Math.min(top, HEIGHT - 12); y < HEIGHT; y += 4) pen.fillRect(x, y, BAR_WIDTH, 2);
    }
  }
}
