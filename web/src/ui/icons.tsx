// The icons of the page. Each status has a shape of its own, so that none is told by colour alone.

import type { Status } from "../core/status";

const paths = {
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4 4l8 8M12 4l-8 8",
  warning: "M8 2.5l6 11H2zM8 6.5v3.5M8 11.8v.2",
  ring: "M8 2.5a5.5 5.5 0 1 1-5.2 3.7",
  slash: "M8 2a6 6 0 1 0 .01 0M3.8 3.8l8.4 8.4",
  dash: "M4 8h8",
  play: "M5 3l8 5-8 5z",
  stop: "M4 4h8v8H4z",
  trigger: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  star: "M8 2l1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5z",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  link: "M6.5 9.5l3-3M7 5l1.7-1.7a2.8 2.8 0 0 1 4 4L11 9M9 11l-1.7 1.7a2.8 2.8 0 0 1-4-4L5 7",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  expand: "M4 3l4 4 4-4M4 9l4 4 4-4",
  collapse: "M4 7l4-4 4 4M4 13l4-4 4 4",
  up: "M4 10l4-4 4 4",
  end: "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3.5 13.5h9",
  download: "M8 2.5v7M5 7l3 3 3-3M3 12.5h10",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M6 6.5v6",
  list: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01",
  camera: "M2.5 5.5h2.5l1-2h4l1 2h2.5v7h-11zM8 7a2 2 0 1 0 .01 0",
  help: "M6 6a2 2 0 1 1 2.6 2c-.4.2-.6.5-.6 1v.5M8 11.8v.2",
  sun: "M8 5.5a2.5 2.5 0 1 0 .01 0M8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3 4.5 4.5 0 0 0 13 9.5z",
  auto: "M8 2.5a5.5 5.5 0 1 0 .01 0M8 2.5v11",
  cluster: "M8 2l5 3v6l-5 3-5-3V5zM8 8v6M8 8L3 5M8 8l5-3",
  history: "M2.5 8a5.5 5.5 0 1 0 1.8-4M2.5 2.5V5H5M8 5v3.2l2.2 1.3",
  clock: "M8 2.5a5.5 5.5 0 1 0 .01 0M8 5v3l2 1.5",
  wrap: "M2.5 4h11M2.5 8h9a2 2 0 0 1 0 4H9M10.5 10.5L9 12l1.5 1.5M2.5 12h3.5",
  trash: "M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9",
  braces: "M6 3C4.5 3 4.5 4 4.5 5.5S4 8 3 8c1 0 1.5 1 1.5 2.5S4.5 13 6 13M10 3c1.5 0 1.5 1 1.5 2.5S12 8 13 8c-1 0-1.5 1-1.5 2.5S11.5 13 10 13",
  bell: "M4 11.5V7a4 4 0 0 1 8 0v4.5l1 1H3zM7 14h2",
  button: "M2.5 5.5h11v5h-11zM5 8h6",
  bolt: "M9 1.5L3.5 9H8l-1 5.5L12.5 7H8z",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, class: of = "" }: { name: IconName; class?: string }) {
  return (
    <svg class={`icon ${of}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

const ofStatus: Record<Status, IconName> = {
  healthy: "check",
  unhealthy: "cross",
  warning: "warning",
  building: "ring",
  pending: "ring",
  disabled: "slash",
  none: "dash",
};

export const statusWords: Record<Status, string> = {
  healthy: "healthy",
  unhealthy: "error",
  warning: "warning",
  building: "updating",
  pending: "pending",
  disabled: "disabled",
  none: "no status",
};

export function StatusIcon({ status, label }: { status: Status; label?: string | undefined }) {
  return (
    <span class={`status-icon is-${status}`} role="img" aria-label={label ?? statusWords[status]} title={label ?? statusWords[status]}>
      <Icon name={ofStatus[status]} class={status === "building" || status === "pending" ? "spins" : ""} />
    </span>
  );
}
