// The list of resources beside the log.

import { memo } from "./memo";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { goTo, lastFilter, set, setChoice, setGroups, setSidebar, use } from "../app/store";
import { chosen, flattened, grouped, groupIds, hasLabels, rowsWithin, type Group, type Item } from "../core/groups";
import { type Row } from "../core/resources";
import { ALL, STARRED, detailPath } from "../core/routes";
import { summarize } from "../core/status";
import { TriggerButton } from "./buttons";
import { StarButton } from "./Header";
import { Icon, StatusIcon, statusWords } from "./icons";
import { Ago, Cut, IconButton, Link } from "./parts";
import { NameFilter } from "./TableBar";
import { useVirtual } from "./virtual";

type Entry = Item | { kind: "heading"; text: string };

function useEntries(name: string): { entries: Entry[]; groups: Group[] } {
  const rows = use((s) => s.rows);
  const choice = use((s) => s.choice);
  const closed = use((s) => s.closed);
  return useMemo(() => {
    const shown = chosen(rows, { ...choice, statuses: new Set(), sort: undefined });
    const on = shown.filter((row) => row.status !== "disabled");
    const off = shown.filter((row) => row.status === "disabled");
    const isGrouped = choice.name === "" && hasLabels(rows);
    const groups = isGrouped ? grouped(on) : [];
    // The group of what is seen is open, without that being remembered.
    const labels = rows.find((row) => row.name === name)?.labels ?? [];
    const isSeen = (id: string) => labels.some((label) => label === id || (label.startsWith(id) && /^[./]/.test(label.slice(id.length))));
    const plain = (list: Row[]) => list.map((row): Item => ({ kind: "row", row, depth: 0, key: row.name }));
    const entries: Entry[] = isGrouped
      ? flattened(groups, (id) => closed.has(id) && !isSeen(id))
      : [{ kind: "heading", text: choice.name ? `${shown.length} ${shown.length === 1 ? "result" : "results"}` : "resources" }, ...plain(on)];
    if (off.length > 0) entries.push({ kind: "heading", text: "Disabled" }, ...plain(off));
    return { entries, groups };
  }, [rows, choice, closed, name]);
}

export function Sidebar({ name }: { name: string }) {
  const isOpen = use((s) => s.isSidebarOpen);
  const base = use((s) => s.place.base);
  const hasStars = use((s) => s.stars.length > 0);
  const choice = use((s) => s.choice);
  const { entries, groups } = useEntries(name);
  const scroller = useRef<HTMLDivElement>(null);
  const list = useVirtual({
    count: entries.length,
    scroller: () => scroller.current,
    estimate: (at) => (entries[at]?.kind === "row" ? 46 : 32),
    keyOf: (at) => keyOf(entries[at]),
  });
  const at = entries.findIndex((entry) => entry.kind === "row" && entry.row.name === name);
  useEffect(() => {
    if (at >= 0) list.scrollToIndex(at);
  }, [name, isOpen]);
  if (!isOpen) {
    return (
      <aside class="sidebar is-closed" aria-label="Resources">
        <IconButton icon="right" label="Expand the list of resources" onClick={() => setSidebar(true)} />
      </aside>
    );
  }
  const ids = groupIds(groups);
  return (
    <aside class="sidebar" aria-label="Resources">
      <div class="sidebar-top">
        <NameFilter />
        <IconButton icon="down" class="collapse" label="Collapse the list of resources" onClick={() => setSidebar(false)} />
        <div class="sidebar-options">
          <label class="check"><input type="checkbox" checked={choice.alertsOnTop} onChange={() => setChoice({ alertsOnTop: !choice.alertsOnTop })} /> Alerts on top</label>
          <label class="check"><input type="checkbox" checked={choice.showDisabled} onChange={() => setChoice({ showDisabled: !choice.showDisabled })} /> Show disabled</label>
          {ids.length > 0 && (
            <>
              <IconButton icon="expand" label="Expand all groups" onClick={() => setGroups(ids, true)} />
              <IconButton icon="collapse" label="Collapse all groups" onClick={() => setGroups(ids, false)} />
            </>
          )}
        </div>
      </div>
      <nav class="sidebar-all" aria-label="Several resources">
        <Link to={detailPath(base, ALL, lastFilter(ALL))} class="sidebar-link" current={name === ALL}>All Resources</Link>
        {hasStars && <Link to={detailPath(base, STARRED, lastFilter(STARRED))} class="sidebar-link" current={name === STARRED}>Starred Resources</Link>}
      </nav>
      <div class="scroller" ref={scroller}>
        <div class="sidebar-list" role="list" style={{ height: `${list.getTotalSize()}px` }}>
          {list.getVirtualItems().map(({ index, key, start }) => {
            const entry = entries[index];
            if (!entry) return null;
            return (
              <div key={key} class="slot" role="listitem" ref={list.measureElement} data-index={index} style={{ transform: `translateY(${start}px)` }}>
                {entry.kind === "row" ? <Entry row={entry.row} depth={entry.depth} isCurrent={entry.row.name === name} /> : <Heading entry={entry} />}
              </div>
            );
          })}
        </div>
      </div>
    </aside>
  );
}

const keyOf = (entry: Entry | undefined): string =>
  entry?.kind === "group" ? `group ${entry.group.id}` : entry?.kind === "heading" ? `heading ${entry.text === "Disabled"}` : (entry?.key ?? "");

function Heading({ entry }: { entry: Exclude<Entry, { kind: "row" }> }) {
  if (entry.kind === "heading") return <h2 class="sidebar-heading">{entry.text}</h2>;
  const { group, isOpen } = entry;
  const sum = summarize(rowsWithin(group).map((row) => row.status));
  return (
    <button type="button" class={`sidebar-heading depth-${Math.min(group.depth, 4)}`} aria-expanded={isOpen} onClick={() => setGroups([group.id], !isOpen)}>
      <Icon name={isOpen ? "down" : "right"} />
      <span class="cut">{group.title}</span>
      {sum.unhealthy > 0 && <StatusIcon status="unhealthy" label={`${sum.unhealthy} with errors`} />}
      {sum.total > 0 && <span class="dim">{sum.healthy}/{sum.total}</span>}
    </button>
  );
}

const serverWords: Record<string, string> = { healthy: "ready", pending: "pending", building: "deploying", warning: "issues", unhealthy: "unhealthy" };

const Entry = memo(function Entry({ row, depth, isCurrent }: { row: Row; depth: number; isCurrent: boolean }) {
  const base = use((s) => s.place.base);
  const isStar = use((s) => s.stars.includes(row.name));
  const isOff = row.status === "disabled";
  const server = serverWords[row.runtime];
  return (
    <div class={`entry depth-${Math.min(depth, 4)} is-${row.status} ${isCurrent ? "is-current" : ""} ${row.build === "building" ? "stripes" : ""}`}>
      <span class={`block is-${row.status}`} title={server ? `Server: ${server}` : "No server"} />
      <StarButton name={row.name} isStar={isStar} />
      <Link to={detailPath(base, row.name, lastFilter(row.name))} class="entry-link" current={isCurrent}>
        <Cut text={row.name} class="entry-name" />
        {!isOff && (
          <span class="entry-second">
            <StatusIcon status={row.status} label={statusWords[row.status]} />
            <span class="cut">{second(row)}</span>
          </span>
        )}
      </Link>
      {!isOff && (
        <>
          <span class="entry-time"><Ago time={row.resource.status?.lastDeployTime} /></span>
          <TriggerButton row={row} />
        </>
      )}
    </div>
  );
});

/** The line under the name. */
function second(row: Row): string {
  if (row.waits) return `Waiting on ${row.waits}`;
  switch (row.build) {
    case "pending":
      return "Pending";
    case "healthy":
      return row.runtime === "unhealthy" || row.runtime === "pending" ? row.runtimeText : row.updateText.replace("Updated", "Completed");
    case "warning":
      return `${row.updateText.replace("Updated", "Completed")}, with issues`;
    case "none":
      return row.runtimeText || "No update status";
    default:
      return row.updateText;
  }
}

/** Moves to the resource before or after the one that is seen. */
export function step(rows: readonly Row[], name: string, by: 1 | -1, base: string): void {
  const names = [ALL, ...rows.map((row) => row.name)];
  const next = names[names.indexOf(name) + by];
  if (next !== undefined) goTo(detailPath(base, next, lastFilter(next)));
}

export const closeDialog = (): void => set({ dialog: undefined });
