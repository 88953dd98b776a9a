// All resources in a table: groups, sorting, filters, selection.

import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { set, setChoice, setGroups, use } from "../app/store";
import { onKey } from "../app/keys";
import { goTo, get } from "../app/store";
import { chosen, flattened, grouped, groupIds, hasLabels, nextSort, rowsWithin, type Group, type Item, type SortKey } from "../core/groups";
import { alertsIn, type Row } from "../core/resources";
import { detailPath } from "../core/routes";
import { summarize, type Status } from "../core/status";
import { Icon, StatusIcon } from "./icons";
import { TableRow } from "./TableRow";
import { TableBar } from "./TableBar";
import { useVirtual } from "./virtual";

const columns: { key: SortKey | undefined; of: string; text: string; label?: string }[] = [
  { key: undefined, of: "pick", text: "" },
  { key: undefined, of: "star", text: "", label: "Star" },
  { key: "updated", of: "updated", text: "Updated" },
  { key: undefined, of: "trigger", text: "Trigger" },
  { key: "name", of: "name", text: "Resource Name" },
  { key: "type", of: "type", text: "Type" },
  { key: "status", of: "status", text: "Status" },
  { key: "pod", of: "pod", text: "Pod ID" },
  { key: "widgets", of: "widgets", text: "Widgets" },
  { key: "endpoints", of: "endpoints", text: "Endpoints" },
  { key: "mode", of: "mode", text: "Mode" },
];

/** Returns what the table shows, from top to bottom. */
function useItems(): { items: Item[]; groups: Group[]; shown: Row[] } {
  const rows = use((s) => s.rows);
  const choice = use((s) => s.choice);
  const closed = use((s) => s.closed);
  const shown = useMemo(() => chosen(rows, choice), [rows, choice]);
  const isGrouped = choice.name === "" && hasLabels(rows);
  const groups = useMemo(() => (isGrouped ? grouped(shown) : []), [shown, isGrouped]);
  const items = useMemo(
    () => (isGrouped ? flattened(groups, (id) => closed.has(id)) : shown.map((row): Item => ({ kind: "row", row, depth: 0, key: row.name }))),
    [groups, shown, isGrouped, closed],
  );
  return { items, groups, shown };
}

export function Table() {
  const { items, groups, shown } = useItems();
  const scroller = useRef<HTMLDivElement>(null);
  const list = useVirtual({
    count: items.length,
    scroller: () => scroller.current,
    estimate: (at) => (items[at]?.kind === "group" ? 36 : 44),
    keyOf: (at) => keyOf(items[at]),
    above: 34,
  });
  const [focused, setFocused] = useState<string>();
  useRowKeys(items, focused, setFocused, (at) => list.scrollToIndex(at));
  const selected = use((s) => s.selected);
  const isSnapshot = use((s) => s.snapshot !== undefined);
  return (
    <main class={isSnapshot ? "table-view is-snapshot" : "table-view"} aria-label="Resources">
      <TableBar groupIds={groupIds(groups)} shown={shown.length} />
      <div class="scroller" ref={scroller}>
        <div class="table" role="table" aria-label="Resources" aria-rowcount={items.length + 1}>
          <Head rows={shown} selected={selected} />
          {items.length === 0 && <p class="empty">No matching resources</p>}
          <div class="table-body" role="rowgroup" style={{ height: `${list.getTotalSize()}px` }}>
            {list.getVirtualItems().map(({ index, key, start }) => {
              const item = items[index];
              if (!item) return null;
              const place = { ref: list.measureElement, "data-index": index, style: { transform: `translateY(${start}px)` } };
              return (
                <div key={key} class="slot" role="presentation" {...place}>
                  {item.kind === "group" ? (
                    <GroupHead group={item.group} isOpen={item.isOpen} index={index + 2} />
                  ) : (
                    <TableRow row={item.row} depth={item.depth} index={index + 2} isSelected={selected.has(item.row.name)} isFocused={focused === item.key} onFocus={setFocused} itemKey={item.key} />
                  )}
                </div>
              );
            })}
          </div>
        </div>
      </div>
    </main>
  );
}

const keyOf = (item: Item | undefined): string => (item?.kind === "group" ? `group ${item.group.id}` : (item?.key ?? ""));

function Head({ rows, selected }: { rows: readonly Row[]; selected: ReadonlySet<string> }) {
  const sort = use((s) => s.choice.sort);
  return (
    <div class="table-head row" role="rowgroup">
      <div role="row" aria-rowindex={1} class="cells">
        {columns.map(({ key, of, text, label }) => {
          const order = key && sort?.key === key ? (sort.descending ? "descending" : "ascending") : undefined;
          return (
            <div key={of} role="columnheader" class={`cell of-${of}`} aria-sort={order} aria-label={label}>
              {of === "pick" ? <PickAll rows={rows} selected={selected} /> : null}
              {of === "star" ? <Icon name="star" /> : null}
              {key ? (
                <button type="button" class="sort" onClick={() => setChoice({ sort: nextSort(sort, key) })}>
                  {text}
                  {order && <Icon name={order === "ascending" ? "up" : "down"} />}
                </button>
              ) : (
                text
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function PickAll({ rows, selected }: { rows: readonly Row[]; selected: ReadonlySet<string> }) {
  const can = rows.filter((row) => row.toggle);
  const picked = can.filter((row) => selected.has(row.name)).length;
  if (can.length === 0) return null;
  const all = picked === can.length;
  const pick = () => {
    const next = new Set(selected);
    for (const row of can) {
      if (all) next.delete(row.name);
      else next.add(row.name);
    }
    set({ selected: next });
  };
  return (
    <input
      type="checkbox"
      checked={all}
      ref={(box) => {
        if (box) box.indeterminate = picked > 0 && !all;
      }}
      aria-label={all ? "Select none" : "Select all"}
      onChange={pick}
    />
  );
}

const shownInGroups: Status[] = ["unhealthy", "warning", "pending", "healthy", "disabled"];

function GroupHead({ group, isOpen, index }: { group: Group; isOpen: boolean; index: number }) {
  const rows = rowsWithin(group);
  const sum = summarize(rows.map((row) => row.status));
  const count: Record<string, string | number> = { ...sum, healthy: sum.total ? `${sum.healthy}/${sum.total}` : 0 };
  const alerts = rows.reduce((n, row) => n + alertsIn(row), 0);
  return (
    <div role="row" aria-rowindex={index} class={`group-head depth-${Math.min(group.depth, 4)}`}>
      <div role="cell" aria-colspan={columns.length}>
        <button type="button" class="group-button" aria-expanded={isOpen} onClick={() => setGroups([group.id], !isOpen)}>
          <Icon name={isOpen ? "down" : "right"} />
          <span class="cut">{group.title}</span>
        </button>
        <span class="group-sum" title={alerts ? `${alerts} alerts` : undefined}>
          {shownInGroups.map((status) =>
            count[status] ? (
              <span key={status} class={`count is-${status}`}>
                <StatusIcon status={status} /> {count[status]}
              </span>
            ) : null,
          )}
        </span>
      </div>
    </div>
  );
}

/** Lets the keys move from row to row. */
function useRowKeys(items: readonly Item[], focused: string | undefined, setFocused: (key: string) => void, show: (at: number) => void) {
  const now = useRef({ items, focused, show });
  now.current = { items, focused, show };
  useLayoutEffect(() => {
    const move = (by: 1 | -1) => {
      const { items, focused, show } = now.current;
      const at = items.findIndex((item) => item.kind === "row" && item.key === focused);
      for (let next = at < 0 ? (by > 0 ? 0 : items.length - 1) : at + by; next >= 0 && next < items.length; next += by) {
        const item = items[next]!;
        if (item.kind !== "row") continue;
        setFocused(item.key);
        show(next);
        return;
      }
    };
    const rowName = (): string | undefined => {
      const item = now.current.items.find((item) => item.kind === "row" && item.key === now.current.focused);
      return item?.kind === "row" ? item.row.name : undefined;
    };
    return onKey({
      j: () => move(1),
      k: () => move(-1),
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      Enter: () => {
        const name = rowName();
        if (name) goTo(detailPath(get().place.base, name));
      },
      x: () => {
        const row = get().rows.find((row) => row.name === rowName());
        if (!row?.toggle) return;
        const selected = new Set(get().selected);
        if (!selected.delete(row.name)) selected.add(row.name);
        set({ selected });
      },
      Escape: () => set({ selected: new Set() }),
    });
  }, []);
}
