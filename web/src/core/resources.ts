// A row for each resource: everything that table and sidebar show of it, made once for each version of its objects.

import type { LogFault, UIButton, UIResource, UIResourceLink } from "../wire/types";
import { alertCount, buildStatus, combined, isDisabled, noAlerts, runtimeStatus, type Alerts, type Status } from "./status";
import { took } from "./time";
import { compareText, nameOf, type Model } from "./view";

export const TILTFILE = "(Tiltfile)";

export interface Row {
  readonly name: string;
  readonly order: number;
  readonly labels: readonly string[];
  readonly type: string;
  readonly build: Status;
  readonly runtime: Status;
  readonly status: Status;
  readonly alerts: Alerts;
  readonly links: readonly UIResourceLink[];
  /** What it waits for, in words. */
  readonly waits: string;
  readonly updateText: string;
  readonly runtimeText: string;
  readonly toggle: UIButton | undefined;
  readonly stop: UIButton | undefined;
  readonly widgets: readonly UIButton[];
  readonly resource: UIResource;
}

const annotation = (button: UIButton, key: string): string => button.metadata?.annotations?.[key] ?? "";
export const buttonKind = (button: UIButton): string => annotation(button, "tilt.dev/uibutton-type");

/** Makes rows, and remembers those whose objects did not change. */
export class RowMaker {
  private made = new Map<string, { key: readonly unknown[]; row: Row }>();
  private rows: readonly Row[] = [];
  private model: Model | undefined;

  /** Returns the rows in the order of definition. The list is the same one if nothing in it changed. */
  of(model: Model): readonly Row[] {
    if (model === this.model) return this.rows;
    this.model = model;
    const buttons = buttonsByResource(model.buttons);
    const faults = faultsByResource(model.faults);
    const made = new Map<string, { key: readonly unknown[]; row: Row }>();
    const rows = model.resources.map((resource) => {
      const name = nameOf(resource);
      const own = buttons.get(name) ?? [];
      const alerts = alertsOf(resource, faults.get(name) ?? []);
      const key = [resource, alerts.build.errors, alerts.build.warnings, alerts.runtime.errors, alerts.runtime.warnings, ...own];
      const old = this.made.get(name);
      const row = old && isSame(old.key, key) ? old.row : rowOf(resource, alerts, own);
      made.set(name, { key, row });
      return row;
    });
    this.made = made;
    if (!isSame(rows, this.rows)) this.rows = rows;
    return this.rows;
  }
}

const isSame = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((value, at) => value === b[at]);

function buttonsByResource(buttons: ReadonlyMap<string, UIButton>): Map<string, UIButton[]> {
  const of = new Map<string, UIButton[]>();
  for (const button of buttons.values()) {
    const location = button.spec?.location;
    if (location?.componentType.toLowerCase() !== "resource") continue;
    const list = of.get(location.componentID);
    if (list) list.push(button);
    else of.set(location.componentID, [button]);
  }
  return of;
}

/** Returns the buttons in the page's header. */
export function navButtons(buttons: ReadonlyMap<string, UIButton>): UIButton[] {
  const isNav = ({ spec }: UIButton) =>
    spec?.location.componentType.toLowerCase() === "global" && spec.location.componentID.toLowerCase() === "nav";
  return [...buttons.values()].filter(isNav).sort((a, b) => compareText(nameOf(a), nameOf(b)));
}

function faultsByResource(faults: ReadonlyMap<string, LogFault>): Map<string, LogFault[]> {
  const of = new Map<string, LogFault[]>();
  for (const fault of faults.values()) {
    const list = of.get(fault.manifestName);
    if (list) list.push(fault);
    else of.set(fault.manifestName, [fault]);
  }
  return of;
}

const isServe = (span: string) => span.startsWith("localserve:");
const numberOf = (span: string) => Number(span.slice(span.lastIndexOf(":") + 1)) || 0;

/** Counts what the last update and what runs now said; not what came before them. */
function alertsOf(resource: UIResource, faults: readonly LogFault[]): Alerts {
  if (faults.length === 0) return noAlerts;
  const status = resource.status;
  const builds = [status?.currentBuild?.spanID, status?.buildHistory?.[0]?.spanID];
  const serve = Math.max(0, ...faults.filter((fault) => isServe(fault.spanId)).map((fault) => numberOf(fault.spanId)));
  const runs = (span: string) =>
    span === status?.k8sResourceInfo?.spanID || span.startsWith("dc:") || (isServe(span) && numberOf(span) === serve);
  const alerts: Alerts = { build: { errors: 0, warnings: 0 }, runtime: { errors: 0, warnings: 0 } };
  for (const fault of faults) {
    const of = builds.includes(fault.spanId) ? alerts.build : runs(fault.spanId) ? alerts.runtime : undefined;
    if (!of) continue;
    of.errors += fault.errors;
    of.warnings += fault.warnings;
  }
  return alerts;
}

function rowOf(resource: UIResource, alerts: Alerts, buttons: readonly UIButton[]): Row {
  const name = nameOf(resource);
  const build = buildStatus(resource, alerts);
  const runtime = runtimeStatus(resource, alerts);
  const disabled = isDisabled(resource);
  return {
    name,
    order: resource.status?.order ?? 0,
    labels: Object.keys(resource.metadata?.labels ?? {}).sort(compareText),
    type: typeOf(resource, name),
    build,
    runtime,
    status: combined(build, runtime),
    alerts,
    links: disabled ? [] : (resource.status?.endpointLinks ?? []),
    waits: waits(resource),
    updateText: updateText(resource, build),
    runtimeText: runtimeText(runtime, build),
    toggle: buttons.find((button) => buttonKind(button) === "DisableToggle"),
    stop: buttons.find((button) => buttonKind(button) === "StopBuild"),
    widgets: buttons.filter((button) => buttonKind(button) === "").sort((a, b) => compareText(nameOf(a), nameOf(b))),
    resource,
  };
}

function typeOf(resource: UIResource, name: string): string {
  if (name === TILTFILE) return "Tiltfile";
  const types = new Set((resource.status?.specs ?? []).map((spec) => spec.type));
  if (types.has("k8s")) return "K8s";
  if (types.has("dc") || types.has("docker-compose")) return "DCS";
  if (types.has("local")) return "Local";
  return "Unknown";
}

function updateText(resource: UIResource, build: Status): string {
  const last = resource.status?.buildHistory?.[0];
  switch (build) {
    case "disabled":
      return "Disabled";
    case "building":
      return "Updating…";
    case "pending":
      return "Update Pending";
    case "unhealthy":
      return "Update error";
    case "healthy":
    case "warning": {
      const time = took(last?.startTime, last?.finishTime);
      return time ? `Updated in ${time}` : "Updated";
    }
    default:
      return "";
  }
}

function runtimeText(runtime: Status, build: Status): string {
  switch (runtime) {
    case "pending":
      return build === "building" ? "Runtime Deploying" : "Runtime Pending";
    case "unhealthy":
      return "Runtime error";
    case "healthy":
    case "warning":
      return "Runtime Ready";
    default:
      return "";
  }
}

const whatWaits: Record<string, string> = {
  "waiting-for-deploy": "its deploy",
  "waiting-for-dep": "",
  "waiting-for-cluster": "the cluster",
  "is-unparallelizable-local": "other local work",
};

/** Says in words what a hold waits for that names nothing. */
export const holdText = (reason: string): string => whatWaits[reason] || reason.replace(/^waiting-for-/, "").replaceAll("-", " ");

/** Says what an update that is due waits for. */
function waits(resource: UIResource): string {
  const waiting = resource.status?.waiting;
  if (!waiting) return "";
  const names = (waiting.on ?? []).map((on) => on.name);
  if (names.length === 0) return holdText(waiting.reason);
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown}, and ${names.length - 3} more` : shown;
}

/** Whether a click on the trigger would bring in something new. */
export function triggerState(row: Row): "building" | "queued" | "starting" | "due" | "idle" {
  const status = row.resource.status;
  if (row.build === "building") return "building";
  if (status?.queued) return "queued";
  const mode = status?.triggerMode ?? 0;
  const isBuilt = !!status?.lastDeployTime || !!status?.buildHistory?.length || row.runtime === "healthy";
  const initAuto = mode === 0 || mode === 1;
  if (initAuto && !isBuilt && row.name !== TILTFILE && row.build === "pending") return "starting";
  const isManual = mode === 1 || mode === 2;
  if ((isManual && status?.hasPendingChanges) || (!initAuto && !isBuilt)) return "due";
  return "idle";
}

export const alertsIn = (row: Row): number => alertCount(row.alerts);
