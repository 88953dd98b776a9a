// The part of the log that is in memory: some thousand lines around what is seen. Older and newer ones are fetched when they
// come near, those far away are let go.

import type { LogLine } from "../../wire/types";
import { Lines } from "./lines";
import type { Filter, LogSource, Page } from "./source";

/** How many lines are kept at most; twice as many for a moment. */
const KEPT = 3000;
const FIRST_PAGE = 300;
const PAGE = 600;
/** So many lines fill any screen. */
const ENOUGH = 120;
const END = Number.MAX_SAFE_INTEGER;

export interface WindowState {
  readonly lines: Lines;
  /** Whether there is more before and after what is in memory. */
  readonly olderLeft: boolean;
  readonly newerLeft: boolean;
  /** Up to where a search has come that still goes on. */
  readonly searching: number | undefined;
  readonly isLoaded: boolean;
  readonly error: string | undefined;
  /** The position of the first line that the session still has. */
  readonly first: number;
  /** Counts the times that everything was replaced. */
  readonly generation: number;
}

const nothing: WindowState = {
  lines: Lines.none,
  olderLeft: false,
  newerLeft: false,
  searching: undefined,
  isLoaded: false,
  error: undefined,
  first: 0,
  generation: 0,
};

export class LogWindow {
  state: WindowState = nothing;
  /** Whether the end is seen: then old lines are let go, else new ones. */
  isAtEnd = true;
  private busy: AbortController | undefined;
  private stopFollowing: (() => void) | undefined;
  private waiting: LogLine[] = [];

  constructor(
    private readonly source: LogSource,
    private readonly filter: Filter,
    /** Lines before this position are not shown. */
    private readonly clearedBefore: number,
    private readonly changed: () => void,
    /** Runs something soon: once a frame. */
    private readonly soon: (work: () => void) => void,
  ) {}

  /** Shows the end of the log, or what is around a position. */
  async open(at?: number): Promise<void> {
    this.close();
    const busy = (this.busy = new AbortController());
    this.set({ ...nothing, generation: this.state.generation + 1 });
    this.isAtEnd = at === undefined;
    try {
      if (at === undefined) await this.openEnd(busy);
      else await this.openAround(at, busy);
    } catch (error) {
      this.failed(error, busy);
    }
    if (this.busy === busy) this.busy = undefined;
  }

  private async openEnd(busy: AbortController): Promise<void> {
    let before = END;
    let follows = false;
    do {
      const page = await this.source.before(this.filter, before, FIRST_PAGE, busy.signal);
      if (busy.signal.aborted) return;
      before = page.from;
      this.set({
        lines: this.state.lines.prepend(this.shown(page.lines)),
        olderLeft: this.hasOlder(page),
        isLoaded: true,
        first: page.first,
        searching: page.more && page.from > this.clearedBefore ? page.from : undefined,
      });
      if (!follows) this.follow(page.to);
      follows = true;
    } while (this.state.olderLeft && this.state.lines.all.length < ENOUGH);
    this.set({ searching: undefined });
  }

  private async openAround(at: number, busy: AbortController): Promise<void> {
    const [older, newer] = await Promise.all([
      this.source.before(this.filter, at, FIRST_PAGE, busy.signal),
      this.source.after(this.filter, at, FIRST_PAGE, busy.signal),
    ]);
    if (busy.signal.aborted) return;
    this.set({
      lines: Lines.of(this.shown([...older.lines, ...newer.lines])),
      olderLeft: this.hasOlder(older),
      newerLeft: newer.more,
      isLoaded: true,
      first: older.first,
    });
    if (!newer.more) this.follow(newer.to);
  }

  /** Fetches what is before. */
  async loadOlder(): Promise<void> {
    const first = this.state.lines.all[0];
    if (this.busy || !this.state.olderLeft || !first) return;
    await this.load(async (busy) => {
      let before = first.position;
      for (let page: Page; ; ) {
        page = await this.source.before(this.filter, before, PAGE, busy.signal);
        if (busy.signal.aborted) return;
        before = page.from;
        const lines = this.state.lines.prepend(this.shown(page.lines));
        const isLong = lines.all.length > 2 * KEPT;
        if (isLong) this.unfollow();
        this.set({
          lines: isLong ? lines.keepFirst(KEPT) : lines,
          olderLeft: this.hasOlder(page),
          newerLeft: this.state.newerLeft || isLong,
          first: page.first,
          searching: page.more && page.lines.length === 0 ? page.from : undefined,
        });
        if (page.lines.length > 0 || !this.state.olderLeft) return;
      }
    });
  }

  /** Fetches what comes after. */
  async loadNewer(): Promise<void> {
    const last = this.state.lines.all.at(-1);
    if (this.busy || !this.state.newerLeft || !last) return;
    await this.load(async (busy) => {
      let from = last.end + 1;
      for (let page: Page; ; ) {
        page = await this.source.after(this.filter, from, PAGE, busy.signal);
        if (busy.signal.aborted) return;
        from = page.to;
        const lines = this.state.lines.append(this.shown(page.lines));
        const isLong = lines.all.length > 2 * KEPT;
        this.set({
          lines: isLong ? lines.keepLast(KEPT) : lines,
          olderLeft: this.state.olderLeft || isLong,
          newerLeft: page.more,
          searching: page.more && page.lines.length === 0 ? page.to : undefined,
        });
        if (!page.more) this.follow(page.to);
        if (page.lines.length > 0 || !page.more) return;
      }
    });
  }

  /** Goes on after the connection was lost. */
  resume(): void {
    const { lines, newerLeft, isLoaded } = this.state;
    if (isLoaded && !newerLeft && !this.stopFollowing) this.follow((lines.all.at(-1)?.end ?? -1) + 1);
    else if (!isLoaded && !this.busy) void this.open();
  }

  close(): void {
    this.busy?.abort();
    this.busy = undefined;
    this.unfollow();
  }

  private async load(work: (busy: AbortController) => Promise<void>): Promise<void> {
    const busy = (this.busy = new AbortController());
    try {
      await work(busy);
    } catch (error) {
      this.failed(error, busy);
    }
    if (this.busy === busy) this.busy = undefined;
    if (!busy.signal.aborted) this.set({ searching: undefined });
  }

  private follow(from: number): void {
    this.unfollow();
    let isOver = false;
    const stop = this.source.follow(this.filter, from, {
      lines: (pieces) => {
        if (isOver) return;
        const isFirst = this.waiting.length === 0;
        for (const piece of pieces) this.waiting.push(piece);
        if (isFirst) this.soon(() => this.takeWaiting());
      },
      ended: () => {
        if (!isOver) this.stopFollowing = undefined;
      },
    });
    this.stopFollowing = () => {
      isOver = true;
      stop();
    };
  }

  private unfollow(): void {
    this.takeWaiting();
    this.stopFollowing?.();
    this.stopFollowing = undefined;
  }

  private takeWaiting(): void {
    if (this.waiting.length === 0) return;
    const news = this.waiting;
    this.waiting = [];
    // Of a burst that is longer than what is kept, only the end is put together.
    const isBurst = this.isAtEnd && news.length > KEPT;
    let lines = (isBurst ? Lines.none : this.state.lines).append(this.shown(isBurst ? news.slice(-KEPT) : news));
    let { olderLeft, newerLeft } = this.state;
    if (this.isAtEnd && (isBurst || lines.all.length > KEPT)) {
      lines = lines.keepLast(KEPT);
      olderLeft = true;
    } else if (lines.all.length > 2 * KEPT) {
      lines = lines.keepFirst(2 * KEPT);
      newerLeft = true;
      this.stopFollowing?.();
      this.stopFollowing = undefined;
    }
    this.set({ lines, olderLeft, newerLeft });
  }

  private hasOlder = (page: Page): boolean => page.more && page.from > this.clearedBefore;

  private shown(pieces: readonly LogLine[]): readonly LogLine[] {
    return this.clearedBefore > 0 ? pieces.filter((piece) => piece.p >= this.clearedBefore) : pieces;
  }

  private failed(error: unknown, busy: AbortController): void {
    if (!busy.signal.aborted) this.set({ error: error instanceof Error ? error.message : String(error) });
  }

  private set(part: Partial<WindowState>): void {
    this.state = { ...this.state, ...part };
    this.changed();
  }
}
