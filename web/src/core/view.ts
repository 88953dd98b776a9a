// What the session shows, kept up to date: a whole view, and then what changed. Objects that did not change stay the same
// ones, so that whoever draws them can tell at a glance.

import type { Cluster, LogFault, UIButton, UIResource, UISession, View } from "../wire/types";

/** What is known of the session. */
export interface Model {
  readonly startTime: string;
  readonly session: UISession | undefined;
  /** In the order in which they are defined. */
  readonly resources: readonly UIResource[];
  readonly buttons: ReadonlyMap<string, UIButton>;
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** Warnings and errors, by span. */
  readonly faults: ReadonlyMap<string, LogFault>;
  /** The position that the next piece of the log will have. */
  readonly logEnd: number;
}

export const emptyModel: Model = {
  startTime: "",
  session: undefined,
  resources: [],
  buttons: new Map(),
  clusters: new Map(),
  faults: new Map(),
  logEnd: 0,
};

interface Named {
  metadata?: { name?: string | null; deletionTimestamp?: string | null } | null;
}

/** Returns an object's name. */
export const nameOf = (object: Named): string => object.metadata?.name ?? "";

/** Returns the model after a frame. A whole view replaces everything. */
export function applyFrame(model: Model, frame: View): Model {
  const before = frame.isComplete ? { ...emptyModel, logEnd: 0 } : model;
  return {
    startTime: frame.tiltStartTime,
    session: frame.uiSession ?? before.session,
    resources: frame.uiResources?.length ? ordered(merged(byName(before.resources), frame.uiResources)) : before.resources,
    buttons: frame.uiButtons?.length ? merged(before.buttons, frame.uiButtons) : before.buttons,
    clusters: frame.clusters?.length ? merged(before.clusters, frame.clusters) : before.clusters,
    faults: frame.logFaults ? new Map(frame.logFaults.map((fault) => [fault.spanId, fault])) : before.faults,
    logEnd: frame.logEnd ?? frame.logList?.toCheckpoint ?? before.logEnd,
  };
}

/** Returns whether a frame comes from another session than the one that is shown: then the page is loaded anew. */
export const isOtherSession = (model: Model, frame: View): boolean =>
  model.startTime !== "" && frame.tiltStartTime !== model.startTime;

function byName<T extends Named>(objects: readonly T[]): Map<string, T> {
  return new Map(objects.map((object) => [nameOf(object), object]));
}

function merged<T extends Named>(before: ReadonlyMap<string, T>, news: readonly T[]): Map<string, T> {
  const after = new Map(before);
  for (const object of news) {
    if (object.metadata?.deletionTimestamp) after.delete(nameOf(object));
    else after.set(nameOf(object), object);
  }
  return after;
}

function ordered(resources: Map<string, UIResource>): UIResource[] {
  const order = (resource: UIResource) => resource.status?.order ?? 0;
  return [...resources.values()].sort((a, b) => order(a) - order(b) || compareText(nameOf(a), nameOf(b)));
}

/** Compares texts as the order of names. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
