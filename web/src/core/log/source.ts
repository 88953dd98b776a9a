// Where the log comes from: a session, or a snapshot. Both are paged, so that a view holds only what is near to what is seen.

import type { LogLine, LogPage } from "../../wire/types";

export interface Filter {
  /** Only lines of these; `undefined` is all. */
  resources: readonly string[] | undefined;
  level: "" | "warn" | "error";
  source: "" | "build" | "runtime";
  /** A text, or a regular expression between slashes. */
  term: string;
  /** How many lines of the same source are shown before and after one that was found. */
  context: number;
}

/** Some of the pieces that are wanted, in order, and which part of the log was looked at for them. */
export interface Page extends LogPage {
  lines: LogLine[];
}

/** What a follower is told. */
export interface Follower {
  lines(pieces: LogLine[]): void;
  /** It ended: the session is gone. */
  ended(): void;
}

export interface LogSource {
  /** Returns the last pieces before a position. */
  before(filter: Filter, before: number, limit: number, signal?: AbortSignal): Promise<Page>;
  /** Returns the first pieces from a position on. */
  after(filter: Filter, from: number, limit: number, signal?: AbortSignal): Promise<Page>;
  /** Tells of what comes from a position on; returns what ends that. */
  follow(filter: Filter, from: number, follower: Follower): () => void;
}

export const isFiltered = (filter: Filter): boolean => !!filter.level || !!filter.source || !!filter.term;

/** Returns a filter as the session's endpoint takes it. */
export function filterQuery(filter: Filter): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of filter.resources ?? []) query.append("resource", name);
  if (filter.level) query.set("level", filter.level);
  if (filter.source) query.set("source", filter.source);
  if (filter.term) query.set("term", filter.term);
  if (isFiltered(filter) && filter.context > 0) query.set("context", String(filter.context));
  return query;
}

/** Takes bytes as they come, and returns the objects of the lines that are whole. */
export class LineReader {
  private rest = "";
  private readonly decoder = new TextDecoder();

  take(bytes: Uint8Array): unknown[] {
    const text = this.rest + this.decoder.decode(bytes, { stream: true });
    const end = text.lastIndexOf("\n");
    this.rest = text.slice(end + 1);
    return end < 0 ? [] : text.slice(0, end).split("\n").filter(Boolean).map((line) => JSON.parse(line) as unknown);
  }
}
