// A list of which only what is seen is drawn: TanStack's virtual list, for Preact.

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";

export type List = Virtualizer<HTMLElement, HTMLElement>;

interface Options {
  count: number;
  scroller: () => HTMLElement | null;
  estimate: (index: number) => number;
  keyOf: (index: number) => string | number;
  overscan?: number;
  /** What stands above the list in what is scrolled, in pixels. */
  above?: number;
}

export function useVirtual(options: Options): List {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const all = {
    count: options.count,
    getScrollElement: options.scroller,
    estimateSize: options.estimate,
    getItemKey: options.keyOf,
    overscan: options.overscan ?? 8,
    scrollPaddingStart: options.above ?? 0,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => draw(undefined as never),
  };
  const [list] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(all));
  list.setOptions(all);
  useLayoutEffect(() => list._didMount(), [list]);
  useLayoutEffect(() => list._willUpdate());
  return list;
}
