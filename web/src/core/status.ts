// How a resource is doing, in the words of the page. Rule: the status model of Tilt's page.

import type { UIResource } from "../wire/types";

export type Status = "disabled" | "building" | "pending" | "unhealthy" | "warning" | "healthy" | "none";

/** Warnings and errors that a resource's log tells of now. */
export interface Alerts {
  build: { errors: number; warnings: number };
  runtime: { errors: number; warnings: number };
}

export const noAlerts: Alerts = { build: { errors: 0, warnings: 0 }, runtime: { errors: 0, warnings: 0 } };

export const alertCount = (alerts: Alerts): number =>
  alerts.build.errors + alerts.build.warnings + alerts.runtime.errors + alerts.runtime.warnings;

export function isDisabled(resource: UIResource): boolean {
  const disable = resource.status?.disableStatus;
  if (!disable) return false;
  return disable.state === "Disabled" || disable.state === "Pending" || (disable.state === "" && !!disable.sources?.length);
}

/** How the last update went. */
export function buildStatus(resource: UIResource, alerts: Alerts): Status {
  if (isDisabled(resource)) return "disabled";
  switch (resource.status?.updateStatus) {
    case "in_progress":
      return "building";
    case "pending":
      return "pending";
    case "error":
      return "unhealthy";
    case "ok":
      return warned(resource, alerts) ? "warning" : "healthy";
    case "not_applicable":
    case "none":
      return warned(resource, alerts) ? "warning" : "none";
    default:
      return "none";
  }
}

const warned = (resource: UIResource, alerts: Alerts): boolean =>
  alerts.build.warnings > 0 || !!resource.status?.buildHistory?.[0]?.warnings?.length;

/** How what was deployed is doing. */
export function runtimeStatus(resource: UIResource, alerts: Alerts): Status {
  if (isDisabled(resource)) return "disabled";
  const status = resource.status;
  if (status?.runtimeStatus === "error" || status?.composeResourceInfo?.healthStatus === "unhealthy") return "unhealthy";
  switch (status?.runtimeStatus) {
    case "pending":
      return "pending";
    case "ok":
      return alerts.runtime.warnings > 0 ? "warning" : "healthy";
    default:
      return "none";
  }
}

/** Both in one: an update that is not well comes first. */
export function combined(build: Status, runtime: Status): Status {
  if (build !== "healthy" && build !== "none") return build;
  return runtime === "none" ? build : runtime;
}

/** How many resources are how. */
export interface Summary {
  total: number;
  unhealthy: number;
  warning: number;
  pending: number;
  healthy: number;
  disabled: number;
}

/** Counts; a resource with a warning counts as healthy too, one without a status not at all. */
export function summarize(statuses: Iterable<Status>): Summary {
  const sum: Summary = { total: 0, unhealthy: 0, warning: 0, pending: 0, healthy: 0, disabled: 0 };
  for (const status of statuses) {
    if (status === "disabled") {
      sum.disabled += 1;
      continue;
    }
    if (status === "none") continue;
    sum.total += 1;
    if (status === "unhealthy") sum.unhealthy += 1;
    else if (status === "building" || status === "pending") sum.pending += 1;
    else sum.healthy += 1;
    if (status === "warning") sum.warning += 1;
  }
  return sum;
}

/** What the window is called, and the colour of its icon. */
export function title(sum: Summary, isConnected: boolean, isSnapshot: boolean): { text: string; colour: "green" | "gray" | "red" } {
  const prefix = isSnapshot ? "Snapshot: " : "";
  if (!isConnected && !isSnapshot) return { text: "Disconnected ┊ Tilt", colour: "gray" };
  if (sum.unhealthy > 0) return { text: `${prefix}✖︎ ${sum.unhealthy} ┊ Tilt`, colour: "red" };
  const counts = `${sum.healthy}/${sum.total} ┊ Tilt`;
  if (sum.pending > 0) return { text: `${prefix}… ${counts}`, colour: "gray" };
  return { text: `${prefix}✔︎ ${counts}`, colour: "green" };
}
