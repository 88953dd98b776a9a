// Which view a path means, and the path of a view. The path is what a view is bookmarked by.

export type Route = { view: "table" } | { view: "detail"; name: string };

export interface Place {
  /** `/snapshot/ID`, or nothing. */
  base: string;
  route: Route;
  log: LogPlace;
}

/** What of the log is shown. */
export interface LogPlace {
  level: "" | "warn" | "error";
  source: "" | "build" | "runtime";
  term: string;
  /** The line that a link leads to. */
  line: number | undefined;
}

export const ALL = "(all)";
export const STARRED = "(starred)";
export const noLogFilter: LogPlace = { level: "", source: "", term: "", line: undefined };

export function parsePlace(path: string, search: string): Place {
  const snapshot = /^\/snapshot\/[^/]+/.exec(path);
  const base = snapshot?.[0] ?? "";
  const detail = /^\/r\/([^/]+)\/overview\/?$/.exec(path.slice(base.length));
  const name = detail ? decoded(detail[1]!) : undefined;
  return { base, route: name ? { view: "detail", name } : { view: "table" }, log: parseLog(search) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function parseLog(search: string): LogPlace {
  const given = new URLSearchParams(search);
  const level = given.get("level");
  const source = given.get("source");
  const line = given.get("line");
  return {
    level: level === "warn" || level === "error" ? level : "",
    source: source === "build" || source === "runtime" ? source : "",
    term: given.get("term") ?? "",
    line: line !== null && /^\d+$/.test(line) ? Number(line) : undefined,
  };
}

export const tablePath = (base: string): string => `${base}/overview`;

export function detailPath(base: string, name: string, log: Partial<LogPlace> = {}): string {
  const shown = name === ALL || name === STARRED ? name : encodeURIComponent(name);
  return `${base}/r/${shown}/overview${logQuery(log)}`;
}

export function logQuery(log: Partial<LogPlace>): string {
  const query = new URLSearchParams();
  if (log.level) query.set("level", log.level);
  if (log.source) query.set("source", log.source);
  if (log.term) query.set("term", log.term);
  if (log.line !== undefined) query.set("line", String(log.line));
  const text = query.toString();
  return text && `?${text}`;
}
