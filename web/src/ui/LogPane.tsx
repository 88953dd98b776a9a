// The log: of one resource, of those with a star, or of all.

import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { clearLog } from "../app/actions";
import { onKey } from "../app/keys";
import { get, goTo, log, set, use } from "../app/store";
import type { Filter } from "../core/log/source";
import type { Line } from "../core/log/lines";
import { parseTerm } from "../core/log/terms";
import { LogWindow } from "../core/log/window";
import type { Row } from "../core/resources";
import { detailPath } from "../core/routes";
import { day, isSameDay, millis } from "../core/time";
import { IconButton } from "./parts";
import { LogBar } from "./LogBar";
import { LogRow } from "./LogRow";
import { Rail } from "./Rail";
import { useVirtual } from "./virtual";

interface Props {
  name: string;
  resources: readonly string[] | undefined;
  row: Row | undefined;
}

/** Returns the part of the log that is in memory; a new one when something else is to be seen. */
function useWindow(filter: Filter, cleared: number, line: number | undefined): LogWindow {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const source = log;
  const view = useMemo(
    () => new LogWindow(source, filter, cleared, () => draw(undefined as never), (work) => requestAnimationFrame(work)),
    [source, filter, cleared],
  );
  useEffect(() => {
    void view.open(line);
    return () => view.close();
  }, [view, line]);
  const connection = use((s) => s.connection);
  useEffect(() => {
    if (connection === "connected") view.resume();
  }, [view, connection]);
  return view;
}

export function LogPane({ name, resources, row }: Props) {
  const place = use((s) => s.place.log);
  const style = use((s) => s.logStyle);
  const base = use((s) => s.place.base);
  const cleared = use((s) => s.cleared[name] ?? 0);
  const isSnapshot = use((s) => s.snapshot !== undefined);
  const filter = useMemo<Filter>(
    () => ({ resources, level: place.level, source: place.source, term: place.term, context: style.context }),
    [resources, place.level, place.source, place.term, style.context],
  );
  const term = useMemo(() => parseTerm(place.term), [place.term]);
  const view = useWindow(filter, cleared, place.line);
  const { lines, olderLeft, newerLeft, searching, isLoaded, error, first, generation } = view.state;
  const all = lines.all;
  const scroller = useRef<HTMLDivElement>(null);
  const list = useVirtual({
    count: all.length,
    scroller: () => scroller.current,
    estimate: () => Math.round(19 * style.scale),
    keyOf: (at) => all[at]?.position ?? at,
    overscan: 16,
  });
  useSteady(view, list, scroller, place.line);
  useEffect(() => list.measure(), [style.wrap, style.json, style.scale, style.stamps]);
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (style.stamps !== "ago") return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 5000);
    return () => clearInterval(timer);
  }, [style.stamps]);
  const toEnd = () => {
    if (newerLeft || place.line !== undefined) {
      if (place.line !== undefined) goTo(detailPath(base, name, { ...place, line: undefined }), "replace");
      void view.open();
      return;
    }
    view.isAtEnd = true;
    list.scrollToIndex(all.length - 1, { align: "end" });
  };
  const toStart = () => void view.open(cleared);
  useEffect(
    () =>
      onKey({
        "Mod+Backspace": () => clearLog(name),
        Home: toStart,
        End: toEnd,
        t: () => set({ dialog: { kind: "time" } }),
        n: () => void toNextError(view, filter, list, 1),
        p: () => void toNextError(view, filter, list, -1),
      }),
  );
  const isMany = resources === undefined || resources.length !== 1;
  const isFiltered = !!(place.level || place.source || place.term);
  const items = list.getVirtualItems();
  const created = millis(get().snapshot?.createdAt);
  const target = place.line === undefined ? -1 : targetOf(all, place.line);
  const seen = all[items[0]?.index ?? 0];
  return (
    <section class="log" aria-label="Log" style={{ "--log-scale": String(style.scale) }}>
      <LogBar name={name} row={row} resources={resources} term={term} view={view} onNext={(by) => void toNextError(view, filter, list, by)} />
      <div class="log-area">
        {/* Before the lines, which are many: so who goes on by Tab comes by it. */}
        {(newerLeft || !view.isAtEnd) && <IconButton icon="end" class="to-end" label="Jump to the end (End)" text="End" onClick={toEnd} />}
        <div
          class={`scroller lines ${style.wrap ? "wraps" : ""} ${isMany ? "is-many" : ""}`}
          ref={scroller}
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-label={`Log lines of ${name}`}
          onScroll={() => scrolled(view, scroller.current)}
        >
          <Beginning isLoaded={isLoaded} olderLeft={olderLeft} searching={searching} first={first} cleared={cleared} isEmpty={all.every((line) => isFiltered && line.startsUpdate)} name={name} isFiltered={isFiltered} />
          {(error || term.error) && <p class="log-note is-bad" role="alert">{term.error ?? error}</p>}
          <div class="line-list" style={{ height: `${list.getTotalSize()}px` }} key={generation}>
            {items.map(({ index, key, start }) => {
              const line = all[index];
              if (!line) return null;
              return (
                <div key={key} class="slot" ref={list.measureElement} data-index={index} style={{ transform: `translateY(${start}px)` }}>
                  <LogRow
                    line={line}
                    isFirstOfSource={isMany && (index === 0 || all[index - 1]!.resource !== line.resource)}
                    isMany={isMany}
                    isTarget={index === target}
                    pattern={term.pattern}
                    stamps={style.stamps}
                    json={style.json}
                    now={style.stamps === "ago" ? (created ?? now) : 0}
                    day={dayAt(all, index)}
                    path={detailPath(base, name, { line: line.position })}
                  />
                </div>
              );
            })}
          </div>
          {isLoaded && !newerLeft && !isSnapshot && <span class="cursor" aria-hidden="true" />}
        </div>
        <Rail view={view} seen={seen?.position} from={Math.max(first, cleared)} />
      </div>
    </section>
  );
}

/** Returns the day that begins with a line; what was said today goes without saying. */
function dayAt(all: readonly Line[], at: number): string | undefined {
  const { time } = all[at]!;
  const before = all[at - 1]?.time ?? Date.now();
  return isSameDay(before, time) ? undefined : day(time);
}

interface BeginningProps {
  isLoaded: boolean;
  olderLeft: boolean;
  searching: number | undefined;
  first: number;
  cleared: number;
  /** Whether there is no line; those that begin an update are shown with any filter. */
  isEmpty: boolean;
  name: string;
  isFiltered: boolean;
}

/** What stands before the first line. */
function Beginning({ isLoaded, olderLeft, searching, first, cleared, isEmpty, name, isFiltered }: BeginningProps) {
  if (!isLoaded) return <p class="log-note">Loading…</p>;
  if (searching !== undefined) return <p class="log-note" aria-live="polite">Searching… {searching.toLocaleString()} lines to go</p>;
  if (olderLeft) return <p class="log-note">…</p>;
  const shown = () => set({ cleared: { ...get().cleared, [name]: 0 } });
  return (
    <>
      {cleared > 0 && (
        <p class="log-note">
          Earlier lines were cleared. <button type="button" class="link" onClick={shown}>Show them</button>
        </p>
      )}
      {first > 0 && cleared <= first && <p class="log-note">The first {first.toLocaleString()} lines of the session are no longer kept.</p>}
      {isEmpty && <p class="log-note" role="status">{isFiltered ? "No line matches." : "No lines yet."}</p>}
    </>
  );
}

const NEAR = 1200;

function scrolled(view: LogWindow, element: HTMLElement | null): void {
  // While it is empty, its height says nothing of where the user is.
  if (!element || !view.state.isLoaded) return;
  const { scrollTop, scrollHeight, clientHeight } = element;
  const below = scrollHeight - scrollTop - clientHeight;
  const was = Number(element.dataset["top"] ?? 0);
  element.dataset["top"] = String(scrollTop);
  const isAtEnd = below < 24 && !view.state.newerLeft ? true : scrollTop < was - 1 ? false : view.isAtEnd;
  if (isAtEnd !== view.isAtEnd) {
    view.isAtEnd = isAtEnd;
    set({});
  }
  if (scrollTop < NEAR && scrollTop <= was) void view.loadOlder();
  if (below < NEAR) void view.loadNewer();
}

/** Keeps what is seen where it is while lines come and go around it; at the end, stays at the end. */
function useSteady(view: LogWindow, list: ReturnType<typeof useVirtual>, scroller: { current: HTMLElement | null }, target: number | undefined): void {
  const before = useRef({ generation: -1, first: -1, anchor: -1, offset: 0, isPlaced: false });
  const { lines, generation, isLoaded } = view.state;
  const all = lines.all;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element || !isLoaded) return;
    const last = before.current;
    const isNew = last.generation !== generation;
    if (view.isAtEnd) {
      element.scrollTop = element.scrollHeight;
    } else if (isNew || !last.isPlaced) {
      const at = target === undefined ? 0 : placeOf(all, target);
      if (at >= 0) list.scrollToIndex(at, { align: target === undefined ? "start" : "center" });
    } else if (all[0] && all[0].position !== last.first) {
      const at = placeOf(all, last.anchor);
      const start = list.measurementsCache[at]?.start;
      if (at >= 0 && start !== undefined) list.scrollToOffset(start + last.offset);
    }
    last.isPlaced = all.length > 0;
    last.generation = generation;
    last.first = all[0]?.position ?? -1;
    const top = list.getVirtualItemForOffset(element.scrollTop);
    last.anchor = top ? (all[top.index]?.position ?? -1) : -1;
    last.offset = top ? element.scrollTop - top.start : 0;
  });
}

/** Returns where a position is, or the first line after it. */
function placeOf(all: readonly { position: number }[], position: number): number {
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (all[middle]!.position < position) low = middle + 1;
    else high = middle;
  }
  return low < all.length ? low : all.length - 1;
}

/** Returns where the line of a link is, or the first after it where it is left out; -1 if that is not in memory. */
function targetOf(all: readonly Line[], position: number): number {
  const at = placeOf(all, position);
  const found = all[at]?.position ?? -1;
  return found === position || (found > position && at > 0) ? at : -1;
}

/** Shows the next error before or after what is seen. */
async function toNextError(view: LogWindow, filter: Filter, list: ReturnType<typeof useVirtual>, by: 1 | -1): Promise<void> {
  const all = view.state.lines.all;
  const { place } = get();
  const name = place.route.view === "detail" ? place.route.name : "";
  const seen = place.log.line ?? all[list.getVirtualItems().at(by > 0 ? 0 : -1)?.index ?? 0]?.position ?? 0;
  const errors: Filter = { ...filter, level: "error", context: 0 };
  for (let at = by > 0 ? seen + 1 : seen; ; ) {
    const page = by > 0 ? await log.after(errors, at, 200) : await log.before(errors, at, 200);
    const found = page.lines.filter((line) => line.l === 4 && ((line.f ?? 0) & 1) === 0);
    const line = by > 0 ? found[0] : found.at(-1);
    if (line) return goTo(detailPath(place.base, name, { ...place.log, line: line.p }), "replace");
    if (!page.more) return;
    at = by > 0 ? page.to : page.from;
  }
}
