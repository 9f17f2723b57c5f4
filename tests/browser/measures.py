"""What is measured in a page: text out of sight, accessibility, and how long its frames take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

__all__ = ["find_hidden_text", "find_violations", "measure_frames"]

AXE = Path(__file__).parents[2] / "webui" / "node_modules" / "axe-core" / "axe.min.js"

FIND_HIDDEN_TEXT = """() => {
  const complaints = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth)
    complaints.push(`the page is ${root.scrollWidth} px wide in a window of ${root.clientWidth}`);
  const describe = (element) =>
    [element.tagName.toLowerCase(), ...element.classList].join(".");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim();
    const parent = node.parentElement;
    const visible = { checkOpacity: true, checkVisibilityCSS: true };
    if (!text || !parent.checkVisibility(visible)) continue;
    // Clipped on purpose: what only a screen reader hears, and the beginning of a text that is
    // a click away.
    if (parent.closest(".spoken, .skip, [data-preview], option")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      let problem = "";
      let reachable = false;
      for (let at = parent; at && at !== root && !problem; at = at.parentElement) {
        const style = getComputedStyle(at);
        const frame = at.getBoundingClientRect();
        const beyondX = box.right > frame.right + 1 || box.left < frame.left - 1;
        const beyondY = box.bottom > frame.bottom + 2 || box.top < frame.top - 2;
        if (style.display === "inline") continue;
        // Whatever lies in a scroller can be scrolled to.
        reachable = /auto|scroll/.test(style.overflowX + style.overflowY);
        if (reachable) break;
        const isCutX = beyondX && /hidden|clip/.test(style.overflowX);
        const isCutY = beyondY && /hidden|clip/.test(style.overflowY);
        if (isCutX || isCutY) problem = `cut by ${describe(at)}`;
        if (style.position === "fixed") break;
      }
      if (!problem && !reachable && (box.right > root.clientWidth + 1 || box.left < -1))
        problem = "out of the window";
      if (!problem) continue;
      complaints.push(`${describe(parent)} ${JSON.stringify(text.slice(0, 60))}: ${problem}`);
      break;
    }
  }
  return complaints;
}"""

FIND_VIOLATIONS = """async () => {
  const report = await axe.run(document);
  return report.violations.flatMap((violation) => violation.nodes.map((node) =>
    `${violation.id} (${violation.impact}): ${node.target.join(" ")}: ${node.failureSummary}`));
}"""

MEASURE_FRAMES = """([selector, frames, step]) => new Promise((resolve) => {
  const scroller = document.querySelector(selector);
  const times = [];
  let rows_max = 0;
  const tick = (now) => {
    times.push(now);
    rows_max = Math.max(rows_max, document.querySelectorAll("[role=row], tr").length);
    if (times.length > frames) {
      const deltas = times.slice(1).map((time, index) => time - times[index]).sort((a, b) => a - b);
      resolve({
        rows_max,
        frame_ms_p50: deltas[Math.floor(deltas.length * 0.5)],
        frame_ms_p95: deltas[Math.floor(deltas.length * 0.95)],
        frame_ms_max: deltas.at(-1),
      });
      return;
    }
    scroller.scrollTop += step;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})"""


def find_hidden_text(page: Page) -> list[str]:
    """Text that nobody can bring into sight, and a page wider than its window; empty if none."""
    return page.evaluate(FIND_HIDDEN_TEXT)


def find_violations(page: Page) -> list[str]:
    """What axe-core finds wrong, one line for each element; empty if nothing."""
    if not AXE.exists():
        pytest.exit("axe-core is not installed: run `make page` (or `make test`, which does)", 2)
    # Evaluated, not added as a script: the page's own policy allows no script from elsewhere.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
    return page.evaluate(FIND_VIOLATIONS)


def measure_frames(page: Page, scroller: str, *, frames: int, step: int) -> dict[str, Any]:
    """Scroll by `step` pixels in each of `frames` frames.

    Returns:
        frame_ms_p50, frame_ms_p95, frame_ms_max, and rows_max: the most rows in the DOM at once.
    """
    return page.evaluate(MEASURE_FRAMES, [scroller, frames, step])
