// Where in the whole log what is seen stands; a click or a drag goes elsewhere.

import { useRef } from "preact/hooks";
import { use } from "../app/store";
import type { LogWindow } from "../core/log/window";

export function Rail({ view, seen, from }: { view: LogWindow; seen: number | undefined; from: number }) {
  const end = use((s) => s.model.logEnd);
  const element = useRef<HTMLDivElement>(null);
  const size = Math.max(1, end - from);
  const last = view.state.lines.all.at(-1)?.position ?? end;
  const top = ((seen ?? from) - from) / size;
  const height = Math.max(0.03, Math.min(1, (last - (seen ?? from)) / size));
  const isSmall = !view.state.olderLeft && !view.state.newerLeft;
  const go = (event: PointerEvent) => {
    const box = element.current?.getBoundingClientRect();
    if (!box) return;
    const at = (event.clientY - box.top) / box.height;
    if (at > 0.985) void view.open();
    else void view.open(Math.round(from + Math.max(0, at) * size));
  };
  if (isSmall) return null;
  return (
    <div
      ref={element}
      class="rail"
      role="scrollbar"
      aria-label="Place in the whole log"
      aria-orientation="vertical"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(Math.min(1, Math.max(0, top)) * 100)}
      aria-controls="app"
      onPointerDown={go}
      onPointerMove={(event) => {
        if (event.buttons === 1) go(event);
      }}
    >
      <span class="rail-seen" style={{ top: `${Math.max(0, Math.min(0.97, top)) * 100}%`, height: `${height * 100}%` }} />
    </div>
  );
}
