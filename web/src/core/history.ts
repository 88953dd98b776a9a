// What became of the updates of a resource: why each began, what it waited for, and where its time went, in words.

import type { Cause, History, Stage, Update, Wait } from "../wire/types";
import { holdText } from "./resources";
import type { Status } from "./status";
import { duration, millis } from "./time";

const NAMED = 3;

function listed(names: readonly string[]): string {
  const rest = names.length - NAMED;
  return names.slice(0, NAMED).join(", ") + (rest > 0 ? `, and ${rest} more` : "");
}

const strings = (value: unknown, key: string): string[] =>
  Array.isArray(value) ? value.map((each: unknown) => (typeof each === "string" ? each : String((each as Record<string, unknown>)[key] ?? ""))) : [];

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Says why an update began. */
export function causeText(cause: Cause): string {
  switch (cause.kind) {
    case "first":
      return "first of this session";
    case "files":
      return `changed: ${listed(strings(cause.files, "path").map(baseName))}`;
    case "asked":
      return `asked for (${cause.by ?? "unknown"})`;
    case "definition":
      return `defined otherwise: ${listed(strings(cause.changes, "what"))}`;
    case "args":
      return "other arguments";
    case "image":
      return `image ${cause.image ?? ""} was built by ${cause.by ?? "another resource"}`;
    case "fall-back":
      return `no live update: ${cause.message ?? cause.reason ?? ""}`;
    case "retry":
      return "next try";
    case "container":
      return `container ${cause.container ?? ""} started`;
    default:
      return cause.kind;
  }
}

/** Says what was waited for, and how long. */
export function waitText(wait: Wait, now: number): string {
  const what = wait.on?.length ? listed(wait.on) : holdText(wait.reason);
  return `${what} ${duration((millis(wait.until) ?? now) - (millis(wait.from) ?? now))}`;
}

/** A part of the time of an update. */
export interface Span {
  text: string;
  milliseconds: number;
  isWait: boolean;
}

const spanOf = (text: string, part: Wait | Stage, now: number, isWait: boolean): Span => ({
  text,
  milliseconds: Math.max(0, (millis(part.until) ?? now) - (millis(part.from) ?? now)),
  isWait,
});

/** Returns where the time of an update went, in order. */
export function spans(update: Update, now: number): Span[] {
  const waits = (update.waits ?? []).map((wait) => ({ from: wait.from, span: spanOf(`waited for ${waitText(wait, now)}`, wait, now, true) }));
  const stages = (update.stages ?? []).map((stage) => {
    const span = spanOf("", stage, now, false);
    return { from: stage.from, span: { ...span, text: [stage.kind, stage.name ?? "", duration(span.milliseconds)].filter(Boolean).join(" ") } };
  });
  return [...waits, ...stages].sort((a, b) => (millis(a.from) ?? 0) - (millis(b.from) ?? 0)).map(({ span }) => span);
}

/** Says why the last update began and where its time went, a line each. */
export function lastInWords(history: History, now: number): string {
  const last = history.updates?.[0];
  if (!last) return "";
  const parts = spans(last, now).filter((span) => span.milliseconds >= 5);
  return [last.causes.map(causeText).join("; "), ...parts.map((span) => span.text)].filter(Boolean).join("\n");
}

const results: Record<string, Status> = {
  running: "building",
  "rolling-out": "pending",
  ok: "healthy",
  failed: "unhealthy",
  canceled: "disabled",
  replaced: "none",
};

export const resultStatus = (update: Update): Status => results[update.outcome.result] ?? "none";

/** Says how long an update took, from when it was wanted to when it was over. */
export const tookAll = (update: Update, now: number): string =>
  duration((millis(update.ended) ?? now) - (millis(update.wanted) ?? now));
