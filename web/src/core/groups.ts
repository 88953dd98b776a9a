// Which rows are shown, in which order and in which groups.

import { alertsIn, TILTFILE, type Row } from "./resources";
import type { Status } from "./status";
import { millis } from "./time";
import { compareText } from "./view";

export type SortKey = "updated" | "name" | "type" | "status" | "pod" | "widgets" | "endpoints" | "mode";

export interface Sort {
  key: SortKey;
  descending: boolean;
}

/** Returns the sort after a click on a column: up, down, none. */
export function nextSort(sort: Sort | undefined, key: SortKey): Sort | undefined {
  if (sort?.key !== key) return { key, descending: false };
  return sort.descending ? undefined : { key, descending: true };
}

export interface Choice {
  /** Words that must all be in the name. */
  name: string;
  /** Only those that are so; all if it is empty. */
  statuses: ReadonlySet<Status>;
  showDisabled: boolean;
  alertsOnTop: boolean;
  sort: Sort | undefined;
}

export const everything: Choice = { name: "", statuses: new Set(), showDisabled: false, alertsOnTop: false, sort: undefined };

/** Returns the rows that are wanted, in the order that is wanted. Disabled ones come last. */
export function chosen(rows: readonly Row[], choice: Choice): Row[] {
  const words = choice.name.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = rows.filter((row) => {
    const lower = row.name.toLowerCase();
    const isOne = choice.statuses.size === 0 || choice.statuses.has(row.status);
    return isOne && (choice.showDisabled || row.status !== "disabled") && words.every((word) => lower.includes(word));
  });
  const compare = choice.sort ? comparison(choice.sort) : (a: Row, b: Row) => a.order - b.order;
  const rank = (row: Row) => (row.status === "disabled" ? 2 : choice.alertsOnTop && !hasAlerts(row) ? 1 : 0);
  return wanted.sort((a, b) => rank(a) - rank(b) || compare(a, b) || compareText(a.name, b.name));
}

const hasAlerts = (row: Row): boolean => alertsIn(row) > 0 || row.status === "unhealthy";

const severity = (row: Row): number =>
  row.status === "unhealthy" ? 0 : row.status === "disabled" ? 3 : alertsIn(row) > 0 ? 1 : 2;

function comparison({ key, descending }: Sort): (a: Row, b: Row) => number {
  const sign = descending ? -1 : 1;
  const by: Record<SortKey, (a: Row, b: Row) => number> = {
    updated: (a, b) => updated(b) - updated(a),
    name: (a, b) => compareText(a.name, b.name),
    type: (a, b) => compareText(a.type, b.type),
    status: (a, b) => severity(a) - severity(b),
    pod: (a, b) => compareText(pod(a), pod(b)),
    widgets: (a, b) => a.widgets.length - b.widgets.length,
    endpoints: (a, b) => a.links.length - b.links.length,
    mode: (a, b) => (a.resource.status?.triggerMode ?? 0) - (b.resource.status?.triggerMode ?? 0),
  };
  return (a, b) => sign * by[key](a, b);
}

const updated = (row: Row): number => millis(row.resource.status?.lastDeployTime) ?? 0;
const pod = (row: Row): string => row.resource.status?.k8sResourceInfo?.podName ?? "";

/** A group of rows, with the groups within it. */
export interface Group {
  /** The label, or the beginning of labels that they share; by it is remembered whether it is closed. */
  id: string;
  /** The last part of the label. */
  title: string;
  depth: number;
  rows: Row[];
  groups: Group[];
}

export const UNLABELED = "unlabeled";

/** Returns groups by label, some of them within others. Those without a label come last. */
export function grouped(rows: readonly Row[]): Group[] {
  const top: Group[] = [];
  const rest: Row[] = [];
  const tiltfiles: Row[] = [];
  const shared = beginnings(new Set(rows.flatMap((row) => row.labels)));
  for (const row of rows) {
    if (row.name === TILTFILE) tiltfiles.push(row);
    else if (row.labels.length === 0) rest.push(row);
    for (const label of row.name === TILTFILE ? [] : row.labels) placeFor(top, groupPath(label, shared)).rows.push(row);
  }
  sortGroups(top);
  const plain = (id: string, rows: Row[]): Group[] => (rows.length ? [{ id, title: id, depth: 0, rows, groups: [] }] : []);
  return [...top, ...plain(UNLABELED, rest), ...plain("Tiltfile", tiltfiles)];
}

/** Returns whether there is any label to group by. */
export const hasLabels = (rows: readonly Row[]): boolean => rows.some((row) => row.labels.length > 0);

/** Returns how many labels begin so, up to a dot or a slash, or are so. */
function beginnings(labels: ReadonlySet<string>): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (text: string) => counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const label of labels) {
    for (const { index } of label.matchAll(/[./]/g)) count(label.slice(0, index));
    count(label);
  }
  return counts;
}

/**
 * Returns the groups that a label means, from the outermost: `shop.cart` is within `shop` where another label is `shop`, or begins so
 * too. One that is alone keeps its dots. A slash, which no Tiltfile may write, always parts.
 */
function groupPath(label: string, shared: ReadonlyMap<string, number>): string[] {
  const heads = [...label.matchAll(/[./]/g)].filter(({ 0: sign, index }) => sign === "/" || (shared.get(label.slice(0, index)) ?? 0) > 1);
  return [...heads.map(({ index }) => label.slice(0, index)), label].filter((id) => id !== "");
}

function placeFor(groups: Group[], path: readonly string[]): Group {
  let [list, found, cut]: [Group[], Group | undefined, number] = [groups, undefined, 0];
  for (const [depth, id] of path.entries()) {
    const known = list.find((group) => group.id === id);
    found = known ?? { id, title: id.slice(cut), depth, rows: [], groups: [] };
    if (!known) list.push(found);
    [list, cut] = [found.groups, id.length + 1];
  }
  return found!;
}

function sortGroups(groups: Group[]): void {
  groups.sort((a, b) => compareText(a.title, b.title));
  for (const group of groups) sortGroups(group.groups);
}

/** Returns all rows of a group and the groups within it, each once. */
export function rowsWithin(group: Group): Row[] {
  return [...new Set([...group.rows, ...group.groups.flatMap(rowsWithin)])];
}

/** An item of a list that is drawn from top to bottom. */
export type Item = { kind: "group"; group: Group; isOpen: boolean } | { kind: "row"; row: Row; depth: number; key: string };

/** Returns what is seen of groups, some of which are closed. */
export function flattened(groups: readonly Group[], isClosed: (id: string) => boolean): Item[] {
  return groups.flatMap((group): Item[] => {
    const isOpen = !isClosed(group.id);
    const head: Item = { kind: "group", group, isOpen };
    if (!isOpen) return [head];
    const rows = group.rows.map((row): Item => ({ kind: "row", row, depth: group.depth, key: `${group.id}\n${row.name}` }));
    return [head, ...rows, ...flattened(group.groups, isClosed)];
  });
}

/** Returns the ids of all groups. */
export const groupIds = (groups: readonly Group[]): string[] => groups.flatMap((group) => [group.id, ...groupIds(group.groups)]);
