// The state of the page, and how parts of it are listened to. A part that is read again is drawn only if it differs.

import { useEffect, useReducer, useRef } from "preact/hooks";
import { everything, type Choice } from "../core/groups";
import { MemoryLog, faultsOf, piecesOf } from "../core/log/memory";
import type { LogSource } from "../core/log/source";
import { RowMaker, type Row } from "../core/resources";
import { noLogFilter, parsePlace, type LogPlace, type Place } from "../core/routes";
import { applyFrame, emptyModel, isOtherSession, type Model } from "../core/view";
import type { Snapshot, UIButton, View } from "../wire/types";
import { sessionLog } from "./api";
import type { Connection } from "./connection";
import { everywhere, project, visit } from "./storage";

export type Theme = "system" | "light" | "dark";
export type Stamps = "off" | "clock" | "ago";

/** How the log is shown, for all resources. */
export interface LogStyle {
  stamps: Stamps;
  wrap: boolean;
  json: boolean;
  context: number;
  scale: number;
}

export type Dialog =
  | { kind: "help" }
  | { kind: "snapshot" }
  | { kind: "cluster" }
  | { kind: "errors" }
  | { kind: "time" }
  | { kind: "inputs"; button: UIButton }
  | { kind: "failure"; text: string };

export interface Toast {
  id: number;
  text: string;
  path: string;
  label: string;
}

export interface State {
  model: Model;
  rows: readonly Row[];
  connection: Connection;
  snapshot: Snapshot | undefined;
  /** Why the snapshot cannot be shown. */
  snapshotError: string | undefined;
  place: Place;
  choice: Choice;
  stars: readonly string[];
  closed: ReadonlySet<string>;
  selected: ReadonlySet<string>;
  /** Where the log was cleared, by what is shown. */
  cleared: Readonly<Record<string, number>>;
  logStyle: LogStyle;
  theme: Theme;
  dialog: Dialog | undefined;
  toasts: readonly Toast[];
  isSidebarOpen: boolean;
}

function isNarrow(): boolean {
  return matchMedia("(max-width: 820px)").matches;
}

const rowMaker = new RowMaker();
const listeners = new Set<() => void>();
/** The filter of the log of each resource that was looked at. */
const remembered = new Map<string, LogPlace>();

export let log: LogSource = sessionLog;

let state: State = {
  model: emptyModel,
  rows: [],
  connection: "connecting",
  snapshot: undefined,
  snapshotError: undefined,
  place: parsePlace(location.pathname, location.search),
  choice: everything,
  stars: [],
  closed: new Set(),
  selected: new Set(),
  cleared: {},
  logStyle: everywhere.read<LogStyle>("log-style", { stamps: "off", wrap: true, json: true, context: 3, scale: 1 }),
  theme: everywhere.read<Theme>("theme", "system"),
  dialog: undefined,
  toasts: [],
  isSidebarOpen: !isNarrow() && everywhere.read("sidebar", true),
};

export const get = (): State => state;

/** Changes some of the state, and tells who listens. */
export function set(part: Partial<State>): void {
  state = { ...state, ...part };
  for (const listener of listeners) listener();
}

/** Returns a part of the state, and draws again when it differs. */
export function use<T>(select: (state: State) => T): T {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const ref = useRef<{ select: (state: State) => T; value: T }>(undefined as never);
  const value = select(state);
  ref.current = { select, value };
  useEffect(() => {
    const listener = () => {
      const { select, value } = ref.current;
      if (!Object.is(select(state), value)) draw(undefined as never);
    };
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return value;
}

/** Takes a frame of the session. */
export function takeFrame(frame: View): void {
  if (isOtherSession(state.model, frame)) {
    location.reload();
    return;
  }
  showModel(applyFrame(state.model, frame), { connection: "connected" });
}

/** Shows a snapshot in place of a session. */
export function takeSnapshot(snapshot: Snapshot): void {
  const pieces = piecesOf(snapshot.view.logList);
  log = new MemoryLog(pieces);
  const path = snapshot.path && state.place.route.view === "table" ? snapshot.path : undefined;
  const place = path ? { ...parsePlace(path.split("?")[0]!, path.split("?")[1] ?? ""), base: state.place.base } : state.place;
  // Old snapshots do not say when their session began.
  const tiltStartTime = snapshot.view.tiltStartTime || snapshot.createdAt || "unknown";
  const frame: View = { ...snapshot.view, tiltStartTime, isComplete: true, logFaults: faultsOf(pieces) };
  showModel(applyFrame(emptyModel, frame), { snapshot, place });
}

function showModel(model: Model, part: Partial<State>): void {
  const isFirst = tiltfileKey(state.model) === "" && tiltfileKey(model) !== "";
  const rows = rowMaker.of(model);
  set({ model, rows, ...part, ...(isFirst ? recalled(tiltfileKey(model)) : {}) });
}

export const tiltfileKey = (model: Model): string => model.session?.status?.tiltfileKey ?? "";

interface Sidebar {
  alertsOnTop?: boolean;
  resourceNameFilter?: string;
  showDisabledResources?: boolean;
}

/** Reads what is remembered for a Tiltfile. */
function recalled(key: string): Partial<State> {
  const groups = project.read<Record<string, { expanded: boolean }>>(key, "resource-groups", {});
  const sidebar = visit.read<Sidebar>(key, "sidebar_options", {});
  return {
    stars: project.read<string[]>(key, "pinned-resources", []),
    closed: new Set(Object.entries(groups).flatMap(([id, { expanded }]) => (expanded ? [] : [id]))),
    choice: {
      ...state.choice,
      alertsOnTop: sidebar.alertsOnTop ?? false,
      name: sidebar.resourceNameFilter ?? "",
      showDisabled: sidebar.showDisabledResources ?? false,
    },
  };
}

export function setChoice(part: Partial<Choice>): void {
  const choice = { ...state.choice, ...part };
  visit.write(tiltfileKey(state.model), "sidebar_options", {
    alertsOnTop: choice.alertsOnTop,
    resourceNameFilter: choice.name,
    showDisabledResources: choice.showDisabled,
  });
  set({ choice });
}

export function toggleStar(name: string): void {
  const stars = state.stars.includes(name) ? state.stars.filter((star) => star !== name) : [...state.stars, name];
  project.write(tiltfileKey(state.model), "pinned-resources", stars);
  set({ stars });
}

/** Opens and closes groups. */
export function setGroups(ids: readonly string[], isOpen: boolean): void {
  const closed = new Set(state.closed);
  for (const id of ids) {
    if (isOpen) closed.delete(id);
    else closed.add(id);
  }
  const groups = Object.fromEntries([...closed].map((id) => [id, { expanded: false }]));
  project.write(tiltfileKey(state.model), "resource-groups", groups);
  set({ closed });
}

export function setLogStyle(part: Partial<LogStyle>): void {
  const logStyle = { ...state.logStyle, ...part };
  everywhere.write("log-style", logStyle);
  set({ logStyle });
}

export function setTheme(theme: Theme): void {
  everywhere.write("theme", theme);
  set({ theme });
}

export function setSidebar(isSidebarOpen: boolean): void {
  if (!isNarrow()) everywhere.write("sidebar", isSidebarOpen);
  set({ isSidebarOpen });
}

/** Shows what an address stands for. */
export function goTo(path: string, how: "push" | "replace" = "push"): void {
  const { route, log: logPlace } = state.place;
  if (route.view === "detail") remembered.set(route.name, logPlace);
  history[how === "push" ? "pushState" : "replaceState"](null, "", path);
  const place = parsePlace(location.pathname, location.search);
  // On a narrow screen the list lies over what was chosen from it.
  set(isNarrow() && how === "push" ? { place, dialog: undefined, isSidebarOpen: false } : { place, dialog: undefined });
}

/** Returns the filter that was last used for the log of a resource. */
export const lastFilter = (name: string): LogPlace => ({ ...(remembered.get(name) ?? noLogFilter), line: undefined });

addEventListener("popstate", () => set({ place: parsePlace(location.pathname, location.search) }));

let toastId = 0;

export function toast(text: string, path: string, label: string): void {
  toastId += 1;
  const id = toastId;
  set({ toasts: [...state.toasts.slice(-2), { id, text, path, label }] });
  setTimeout(() => dismiss(id), 6000);
}

export const dismiss = (id: number): void => set({ toasts: state.toasts.filter((toast) => toast.id !== id) });

/** Shows why something did not work. */
export function failed(error: unknown): void {
  set({ dialog: { kind: "failure", text: error instanceof Error ? error.message : String(error) } });
}
