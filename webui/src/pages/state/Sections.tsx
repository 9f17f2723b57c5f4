/** The tables below line 1, folded: a table into its lines, a line into its items. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { formatBytes, formatCount } from "../../figures/format.ts";
import { formatJson, parseJson } from "../../figures/json.ts";
import { type Item, type Line, type Section, splitItems } from "./stored_document.ts";

/** Lines of a table and items of a line that are shown before somebody asks for more. */
const SHOWN_MAX = 100;
const SUMMARY_CHARS_MAX = 300;
const ITEM_CHARS_MAX = 100_000;

/** Where a search leads: a line, and a character of it. */
export interface Place {
  line: number;
  at: number;
}

export function Sections({ sections, place }: { sections: Section[]; place: Place | undefined }) {
  return (
    <div class="sections">
      {sections.map((section) => (
        <SectionView key={section.name} section={section} place={place} />
      ))}
    </div>
  );
}

function SectionView({ section, place }: { section: Section; place: Place | undefined }) {
  const { name, lines, chars } = section;
  const index = place === undefined ? -1 : lines.findIndex(({ number }) => number === place.line);
  const [isOpen, setOpen] = useState(lines.length === 1);
  const [shown, setShown] = useState(SHOWN_MAX);
  useEffect(() => {
    if (index < 0) return;
    setOpen(true);
    setShown((before) => Math.max(before, index + 1));
  }, [place]);
  const size =
    lines.length === 0
      ? "empty"
      : `${formatCount(lines.length)} ${lines.length === 1 ? "line" : "lines"}, ${formatBytes(chars)}`;
  return (
    <details
      class="panel section"
      open={isOpen}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <strong class="id">{name}</strong> <span class="quiet-text">{size}</span>
      </summary>
      {isOpen && (
        <>
          {lines.slice(0, shown).map((line, at) => (
            <LineView
              key={line.number}
              line={line}
              isFirst={lines.length === 1}
              place={at === index ? place : undefined}
            />
          ))}
          <More
            shown={shown}
            all={lines.length}
            what="lines"
            onMore={() => setShown(shown + SHOWN_MAX)}
          />
        </>
      )}
    </details>
  );
}

function LineView({
  line,
  isFirst,
  place,
}: {
  line: Line;
  isFirst: boolean;
  place: Place | undefined;
}) {
  const [isOpen, setOpen] = useState(isFirst);
  const [shown, setShown] = useState(SHOWN_MAX);
  const items = useMemo(
    () => (isOpen || place !== undefined ? splitItems(line.text) : []),
    [isOpen, line, place],
  );
  const index = place === undefined ? -1 : itemAt(items, line, place);
  useEffect(() => {
    if (place === undefined) return;
    setOpen(true);
    setShown((before) => Math.max(before, index + 1));
  }, [place]);
  return (
    <details class="line" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        line {formatCount(line.number)}{" "}
        <span class="quiet-text">{formatBytes(line.text.length)}</span>
        {isOpen && <span class="quiet-text"> · {formatCount(items.length)} items</span>}
      </summary>
      {isOpen && (
        <>
          {items.slice(0, shown).map((item, at) => (
            <ItemView
              key={item.start}
              line={line}
              item={item}
              isSought={at === index}
              place={place}
            />
          ))}
          <More
            shown={shown}
            all={items.length}
            what="items"
            onMore={() => setShown(shown + SHOWN_MAX)}
          />
        </>
      )}
    </details>
  );
}

function itemAt(items: readonly Item[], line: Line, place: Place): number {
  // The text of a table's first line begins behind the table's name.
  const at = place.at - (line.offset ?? 0);
  return items.findIndex(({ end }) => at < end);
}

interface ItemGiven {
  line: Line;
  item: Item;
  isSought: boolean;
  place: Place | undefined;
}

function ItemView({ line, item, isSought, place }: ItemGiven) {
  const [isOpen, setOpen] = useState(false);
  const element = useRef<HTMLDetailsElement>(null);
  const text = line.text.slice(item.start, item.end);
  useEffect(() => {
    if (!isSought) return;
    setOpen(true);
    element.current?.scrollIntoView({ block: "center" });
  }, [isSought, place]);
  return (
    <details
      ref={element}
      class="item"
      data-sought={isSought}
      open={isOpen}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary class="id" data-preview>
        {text.slice(0, SUMMARY_CHARS_MAX)}
      </summary>
      {isOpen && <pre tabIndex={0}>{formatItem(text)}</pre>}
    </details>
  );
}

/** A list's item is JSON; an object's begins with its name. What cannot be read is shown as it is. */
function formatItem(text: string): string {
  if (text.length > ITEM_CHARS_MAX) return `${text.slice(0, ITEM_CHARS_MAX)}…`;
  for (const whole of [text, `{${text}}`]) {
    try {
      return formatJson(parseJson(whole));
    } catch {
      // The other form, then.
    }
  }
  return text;
}

interface MoreGiven {
  shown: number;
  all: number;
  what: string;
  onMore: () => void;
}

function More({ shown, all, what, onMore }: MoreGiven) {
  if (shown >= all) return null;
  return (
    <button type="button" onClick={onMore}>
      Show more: {formatCount(all - shown)} {what} are folded
    </button>
  );
}
