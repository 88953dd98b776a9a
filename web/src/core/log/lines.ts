// Lines of the log, put together from the pieces in which they came.

import type { LogLine } from "../../wire/types";

export type Level = "debug" | "verbose" | "info" | "warn" | "error";
const levels: readonly Level[] = ["debug", "verbose", "info", "warn", "error"];

export interface Line {
  /** Where its first piece stands in the log. */
  readonly position: number;
  /** Where its last piece stands. */
  readonly end: number;
  readonly time: number;
  readonly span: string;
  readonly resource: string;
  readonly level: Level;
  readonly text: string;
  /** Whether it begins a warning or an error. */
  readonly anchor: boolean;
  readonly startsUpdate: boolean;
  readonly progress: string | undefined;
  /** Whether it is shown only because of a line beside it. */
  readonly isContext: boolean;
  /** Whether lines before it are left out. */
  readonly afterGap: boolean;
}

const CONTINUES = 1;
const ANCHOR = 2;
const STARTS_UPDATE = 4;
const CONTEXT = 1;
const GAP = 2;

function lineOf(piece: LogLine): Line {
  const flags = piece.f ?? 0;
  const kind = piece.k ?? 0;
  return {
    position: piece.p,
    end: piece.p,
    time: piece.t / 1000,
    span: piece.s ?? "",
    resource: piece.m ?? "",
    level: levels[piece.l] ?? "info",
    text: piece.x.endsWith("\n") ? piece.x.slice(0, -1) : piece.x,
    anchor: (flags & ANCHOR) !== 0,
    startsUpdate: (flags & STARTS_UPDATE) !== 0,
    progress: piece.g ?? undefined,
    isContext: (kind & CONTEXT) !== 0,
    afterGap: (kind & GAP) !== 0,
  };
}

const source = (piece: LogLine): string => `${piece.s ?? ""}\n${piece.m ?? ""}`;

/** Lines in order, to which pieces come at either end. Lines that did not change stay the same ones. */
export class Lines {
  private constructor(
    readonly all: readonly Line[],
    /** Where the incomplete last line of a source is. */
    private readonly open: ReadonlyMap<string, number>,
    private readonly progress: ReadonlyMap<string, number>,
  ) {}

  static readonly none = new Lines([], new Map(), new Map());

  static of(pieces: readonly LogLine[]): Lines {
    return Lines.none.append(pieces);
  }

  append(pieces: readonly LogLine[]): Lines {
    if (pieces.length === 0) return this;
    const all = [...this.all];
    const open = new Map(this.open);
    const progress = new Map(this.progress);
    for (const piece of pieces) {
      const from = source(piece);
      const at = ((piece.f ?? 0) & CONTINUES) !== 0 ? open.get(from) : undefined;
      const before = at === undefined ? undefined : all[at];
      let place = all.length;
      if (before && at !== undefined) {
        place = at;
        all[at] = { ...before, end: piece.p, text: before.text + (piece.x.endsWith("\n") ? piece.x.slice(0, -1) : piece.x) };
      } else {
        const line = lineOf(piece);
        const id = line.progress === undefined ? undefined : `${from}\n${line.progress}`;
        const earlier = id === undefined ? undefined : progress.get(id);
        const replaced = earlier === undefined ? undefined : all[earlier];
        if (replaced && earlier !== undefined) {
          place = earlier;
          // It keeps its place, so that what is read does not jump.
          all[earlier] = { ...line, position: replaced.position, afterGap: replaced.afterGap };
        } else {
          all.push(line);
          if (id !== undefined) progress.set(id, place);
        }
      }
      if (piece.x.endsWith("\n")) open.delete(from);
      else open.set(from, place);
    }
    return new Lines(all, open, progress);
  }

  prepend(pieces: readonly LogLine[]): Lines {
    if (pieces.length === 0) return this;
    const before = Lines.of(pieces);
    const replaced = new Set(this.progress.keys());
    // What a later line of the same progress replaces is not shown twice.
    const kept = before.all.filter((line) => line.progress === undefined || !replaced.has(progressKey(line)));
    const shift = kept.length;
    const moved = (places: ReadonlyMap<string, number>) => new Map([...places].map(([key, at]) => [key, at + shift]));
    const places = new Map(kept.flatMap((line, at): [string, number][] => (line.progress === undefined ? [] : [[progressKey(line), at]])));
    return new Lines([...kept, ...this.all], moved(this.open), new Map([...places, ...moved(this.progress)]));
  }

  /** Returns the last lines only. */
  keepLast(count: number): Lines {
    const drop = this.all.length - count;
    if (drop <= 0) return this;
    return new Lines(this.all.slice(drop), within(this.open, drop, count), within(this.progress, drop, count));
  }

  /** Returns the first lines only. */
  keepFirst(count: number): Lines {
    if (this.all.length <= count) return this;
    return new Lines(this.all.slice(0, count), within(this.open, 0, count), within(this.progress, 0, count));
  }
}

const progressKey = (line: Line): string => `${line.span}\n${line.resource}\n${line.progress}`;

function within(places: ReadonlyMap<string, number>, drop: number, count: number): Map<string, number> {
  return new Map([...places].map(([key, at]): [string, number] => [key, at - drop]).filter(([, at]) => at >= 0 && at < count));
}
