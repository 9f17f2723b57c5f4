/** Lines over time. The numbers of the legend are those under the pointer, or the newest. */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatTime } from "../figures/format.ts";
import { findLonely } from "../figures/lonely.ts";
import { theme } from "../frame/theme.ts";

const HEIGHT = 150;
const WINDOW_S = 300;
/** Of labels: 1, 2, 5, 10, 20, ... No label would tell of what lies between whole numbers. */
const WHOLE_STEPS = Array.from({ length: 13 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();

export interface Line {
  name: string;
  /** A colour of tokens.css. */
  color: string;
  /** Lines differ by more than their colour. */
  isDashed?: boolean;
  values: (number | null)[];
}

interface Given {
  label: string;
  /** Ms since the epoch, one for each value. */
  times: number[];
  lines: readonly Line[];
  format: (value: number) => string;
  /** How far the labels may lie from each other, rising. */
  steps?: readonly number[];
}

export function Chart({ label, times, lines, format, steps = WHOLE_STEPS }: Given) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [under, setUnder] = useState<number | undefined>(undefined);
  const names = lines.map((line) => line.name).join();
  const shade = theme.value;

  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const made = new uPlot(
      makeOptions(element, lines, { format, steps }, setUnder),
      makeData(times, lines),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, shade]);

  useEffect(() => {
    plot.current?.setData(makeData(times, lines));
  }, [times, lines]);

  const index = under !== undefined && under < times.length ? under : times.length - 1;
  const at = times[index];
  return (
    <figure class="chart">
      <figcaption>
        {lines.map((line) => (
          <span key={line.name} class="chart-key">
            <i aria-hidden="true" data-color={line.color} data-dashed={line.isDashed} />
            {line.name} <b>{show(line.values[index], format)}</b>
          </span>
        ))}
        {under !== undefined && at !== undefined && <span class="chart-key">{formatTime(at)}</span>}
      </figcaption>
      <div ref={frame} class="chart-frame" role="img" aria-label={label} />
    </figure>
  );
}

function show(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? "–" : format(value);
}

function makeData(times: number[], lines: readonly Line[]): uPlot.AlignedData {
  return [times.map((time) => time / 1_000), ...lines.map((line) => line.values)];
}

function makeOptions(
  element: HTMLElement,
  lines: readonly Line[],
  { format, steps }: Required<Pick<Given, "format" | "steps">>,
  onCursor: (index: number | undefined) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(`--${name}`);
  const axis = {
    stroke: token("muted"),
    font: `11px ${token("sans")}`,
    ticks: { show: false },
  };
  // The steps of the axis are round: 5 s, not 5.0 s.
  const label = (value: number) => format(value).replace(/\.0\b/, "");
  const grid = { stroke: token("line"), width: 1 };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    // At the right half the label of a time that has just begun.
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
    scales: {
      x: { range: (plot, _min, max) => windowUpTo(plot.data[0].at(-1) ?? max) },
      y: { range: (_plot, _min, max) => [0, Math.max(max ?? 0, 1) * 1.15] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 46,
        incrs: [60, 120, 300],
        size: 24,
        values: clockTimes,
      },
      {
        ...axis,
        grid,
        space: 36,
        size: (_plot, labels) => Math.max(52, 14 + 6 * longest(labels)),
        incrs: [...steps],
        values: (_plot, values) => values.map((value) => (value === 0 ? "0" : label(value))),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        stroke: token(line.color),
        width: 1.5,
        ...(line.isDashed === true ? { dash: [4, 3] } : {}),
        // No line leads to a value that stands alone, as those of an idle queue do.
        points: {
          show: true,
          filter: (plot: uPlot, series: number) => findLonely(plot.data[series] ?? []),
          size: 3,
          fill: token(line.color),
        },
        spanGaps: false,
      })),
    ],
    hooks: {
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? undefined)],
    },
  };
}

/** uPlot's own `max` is a day late while there is only one time. */
function windowUpTo(newest: number): [number, number] {
  return [newest - WINDOW_S + 1, newest];
}

function longest(labels: readonly string[] | null): number {
  return Math.max(0, ...(labels ?? []).map((label) => label.length));
}

function clockTimes(_plot: uPlot, values: number[]): string[] {
  return values.map((value) => formatTime(value * 1_000).slice(0, 5));
}
