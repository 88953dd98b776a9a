// The log of a snapshot: all of it is in memory, and it answers as a session does.

import type { LogFault, LogLine, LogList } from "../../wire/types";
import { plainText } from "./ansi";
import type { Filter, LogSource, Page } from "./source";
import { parseTerm } from "./terms";

const levels: Record<string, number> = { DEBUG: 0, VERBOSE: 1, INFO: 2, WARN: 3, ERROR: 4, NONE: 2 };

/** Returns the pieces of a view's log, in the form in which a session sends them. */
export function piecesOf(list: LogList | null | undefined): LogLine[] {
  const open = new Map<string, number>();
  const first = list?.fromCheckpoint ?? 0;
  return (list?.segments ?? []).map((segment, at) => {
    const span = segment.spanId ?? "";
    const level = levels[segment.level] ?? 2;
    const continues = open.get(span) === level;
    if (segment.text.endsWith("\n")) open.delete(span);
    else open.set(span, level);
    const flags = (continues ? 1 : 0) | (segment.anchor ? 2 : 0) | (segment.fields?.["buildEvent"] === "init" ? 4 : 0);
    return {
      p: Math.max(0, first) + at,
      t: (Date.parse(segment.time) || 0) * 1000,
      l: level,
      s: span,
      m: list?.spans?.[span]?.manifestName ?? "",
      f: flags,
      g: segment.fields?.["progressID"] ?? null,
      x: segment.text,
    };
  });
}

/** Counts warnings and errors by span. */
export function faultsOf(pieces: readonly LogLine[]): LogFault[] {
  const of = new Map<string, LogFault>();
  for (const piece of pieces) {
    if (((piece.f ?? 0) & 2) === 0 || piece.l < 3) continue;
    const spanId = piece.s ?? "";
    const fault = of.get(spanId) ?? { spanId, manifestName: piece.m ?? "", errors: 0, warnings: 0 };
    if (piece.l === 4) fault.errors += 1;
    else fault.warnings += 1;
    of.set(spanId, fault);
  }
  return [...of.values()];
}

export const isBuildSpan = (span: string): boolean => span.startsWith("build:") || span.startsWith("cmdimage:");

/** A log in memory. */
export class MemoryLog implements LogSource {
  constructor(private readonly pieces: readonly LogLine[]) {}

  get end(): number {
    return (this.pieces.at(-1)?.p ?? -1) + 1;
  }

  before(filter: Filter, before: number, limit: number): Promise<Page> {
    const wanted = this.wanted(filter).filter((piece) => piece.p < before);
    return Promise.resolve(this.page(wanted.slice(-limit), wanted.length > limit));
  }

  after(filter: Filter, from: number, limit: number): Promise<Page> {
    const wanted = this.wanted(filter).filter((piece) => piece.p >= from);
    return Promise.resolve(this.page(wanted.slice(0, limit), wanted.length > limit));
  }

  follow(): () => void {
    return () => {};
  }

  private page(lines: LogLine[], more: boolean): Page {
    const first = this.pieces[0]?.p ?? 0;
    return { lines, from: lines[0]?.p ?? first, to: (lines.at(-1)?.p ?? this.end - 1) + 1, more, first };
  }

  private wanted(filter: Filter): LogLine[] {
    const names = filter.resources && new Set(filter.resources);
    const listed = this.pieces.filter((piece) => !names || names.has(piece.m ?? ""));
    if (!filter.level && !filter.source && !filter.term) return listed;
    const pattern = parseTerm(filter.term).pattern;
    const isWanted = (piece: LogLine): boolean => {
      if (((piece.f ?? 0) & 4) !== 0) return true;
      const level = filter.level === "error" ? 4 : filter.level === "warn" ? 3 : undefined;
      if (level !== undefined && piece.l !== level) return false;
      if (filter.source && isBuildSpan(piece.s ?? "") !== (filter.source === "build")) return false;
      return !pattern || plainText(piece.x).search(pattern) >= 0;
    };
    return withContext(listed, isWanted, filter.context);
  }
}

/** Returns the pieces that are wanted, and some beside them of the same span. */
function withContext(pieces: readonly LogLine[], isWanted: (piece: LogLine) => boolean, context: number): LogLine[] {
  const kept = new Map<number, boolean>();
  const bySpan = new Map<string, number[]>();
  pieces.forEach((piece, at) => {
    const list = bySpan.get(piece.s ?? "");
    if (list) list.push(at);
    else bySpan.set(piece.s ?? "", [at]);
  });
  for (const places of bySpan.values()) {
    places.forEach((at, nth) => {
      if (!isWanted(pieces[at]!)) return;
      kept.set(at, true);
      if (((pieces[at]!.f ?? 0) & 4) !== 0) return;
      for (const near of places.slice(Math.max(0, nth - context), nth + context + 1)) if (!kept.get(near)) kept.set(near, false);
    });
  }
  let last = -1;
  return pieces.flatMap((piece, at) => {
    const found = kept.get(at);
    if (found === undefined) return [];
    const kind = (found ? 0 : 1) | (at > last + 1 ? 2 : 0);
    last = at;
    return [{ ...piece, k: kind }];
  });
}
