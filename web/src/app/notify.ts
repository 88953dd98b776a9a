// Notifications of the browser, once the user asked for them: all is ready, or something failed.

import { useReducer } from "preact/hooks";
import type { Summary } from "../core/status";

const isThere = (): boolean => "Notification" in window;

let redraw: (() => void) | undefined;

/** Returns whether the user was asked: `default` is not yet. */
export function useNotify(): NotificationPermission {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  redraw = () => draw(undefined as never);
  return isThere() ? Notification.permission : "denied";
}

export function askToNotify(): void {
  if (isThere()) void Notification.requestPermission().then(() => redraw?.());
}

let shown: Notification | undefined;
let last: string | undefined;

/** Returns what is worth a notification. */
export function news(sum: Summary): string {
  if (sum.unhealthy > 0) return `Unhealthy resources: ${sum.unhealthy}`;
  return sum.pending === 0 && sum.total > 0 ? "Ready" : "";
}

export function notify(sum: Summary): void {
  const body = news(sum);
  if (body === last) return;
  const isFirst = last === undefined;
  last = body;
  shown?.close();
  shown = undefined;
  if (!isFirst && body && isThere() && Notification.permission === "granted") shown = new Notification("Tilt", { body });
}
