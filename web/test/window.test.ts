import { expect, test } from "vitest";
import { positionAt } from "../src/core/log/seek";
import { MemoryLog, faultsOf, piecesOf } from "../src/core/log/memory";
import type { Filter, Follower, LogSource } from "../src/core/log/source";
import { LogWindow } from "../src/core/log/window";
import type { LogLine } from "../src/wire/types";
import { piece } from "./make";

const all: Filter = { resources: undefined, level: "", source: "", term: "", context: 0 };
const numbered = (count: number): LogLine[] => Array.from({ length: count }, (_, p) => piece(p, `line ${p}\n`, p % 100 === 50 ? { l: 4, f: 2 } : {}));

/** A log whose followers are told by hand. */
class Told implements LogSource {
  followers: { from: number; follower: Follower; isStopped: boolean }[] = [];
  private readonly memory: MemoryLog;
  constructor(pieces: LogLine[]) {
    this.memory = new MemoryLog(pieces);
  }
  before: LogSource["before"] = (filter, before, limit) => this.memory.before(filter, before, limit);
  after: LogSource["after"] = (filter, from, limit) => this.memory.after(filter, from, limit);
  follow: LogSource["follow"] = (_filter, from, follower) => {
    const entry = { from, follower, isStopped: false };
    this.followers.push(entry);
    return () => void (entry.isStopped = true);
  };
}

function opened(source: LogSource, filter = all, cleared = 0): LogWindow {
  return new LogWindow(source, filter, cleared, () => {}, (work) => work());
}
const span = (view: LogWindow) => [view.state.lines.all[0]?.position, view.state.lines.all.at(-1)?.position];

test("it opens at the end, and follows from there", async () => {
  const source = new Told(numbered(10_000));
  const view = opened(source);
  await view.open();
  expect([span(view), view.state.olderLeft, source.followers[0]!.from]).toEqual([[9700, 9999], true, 10_000]);
  source.followers[0]!.follower.lines([piece(10_000, "new\n")]);
  expect(span(view)).toEqual([9700, 10_000]);
});

test("at the end old lines are let go, so that a burst costs nothing", async () => {
  const source = new Told(numbered(10));
  const view = opened(source);
  await view.open();
  source.followers[0]!.follower.lines(Array.from({ length: 50_000 }, (_, at) => piece(10 + at, "x\n")));
  expect([view.state.lines.all.length, view.state.olderLeft, span(view)[1]]).toEqual([3000, true, 50_009]);
});

test("away from the end new lines are let go, and come when they are looked at", async () => {
  const source = new Told(numbered(20_000));
  const view = opened(source);
  await view.open();
  view.isAtEnd = false;
  for (let n = 0; n < 12; n += 1) await view.loadOlder();
  expect([view.state.newerLeft, source.followers[0]!.isStopped]).toEqual([true, true]);
  expect(view.state.lines.all.length).toBeLessThanOrEqual(6000);
  const [, last] = span(view);
  await view.loadNewer();
  expect(span(view)[1]).toBe(last! + 600);
});

test("a link opens what is around its line", async () => {
  const view = opened(new Told(numbered(10_000)));
  await view.open(5000);
  expect([span(view), view.state.olderLeft, view.state.newerLeft]).toEqual([[4700, 5299], true, true]);
});

test("what was cleared is not shown, also not when older lines are asked for", async () => {
  const view = opened(new Told(numbered(1000)), all, 900);
  await view.open();
  expect([span(view), view.state.olderLeft]).toEqual([[900, 999], false]);
});

test("after the connection was lost it goes on where it was", async () => {
  const source = new Told(numbered(100));
  const view = opened(source);
  await view.open();
  source.followers[0]!.follower.ended();
  view.resume();
  expect(source.followers.map(({ from }) => from)).toEqual([100, 100]);
});

test("a level shows its lines with some around, and where lines are left out", async () => {
  const log = new MemoryLog(numbered(300));
  const page = await log.before({ ...all, level: "error", context: 2 }, 1e9, 100);
  expect(page.lines.map(({ p }) => p)).toEqual([48, 49, 50, 51, 52, 148, 149, 150, 151, 152, 248, 249, 250, 251, 252]);
  expect(page.lines.map(({ k }) => k).slice(0, 6)).toEqual([3, 1, 0, 1, 1, 3]);
});

test("a text is looked for without its colours, and only in the resources that are seen", async () => {
  const pieces = [piece(0, "a \x1b[31mb\x1b[0mc\n"), piece(1, "a bc\n", { m: "db" }), piece(2, "begin\n", { f: 4 })];
  const page = await new MemoryLog(pieces).before({ ...all, term: "a bc", resources: ["web"] }, 1e9, 10);
  expect(page.lines.map(({ p }) => p)).toEqual([0, 2]);
});

test("segments of a view become pieces, with who continues whom", () => {
  const segment = (spanId: string, text: string, level = "INFO", more = {}) => ({ spanId, text, level, time: "2026-01-02T03:04:05.000000Z", ...more });
  const pieces = piecesOf({
    spans: { a: { manifestName: "web" } },
    segments: [segment("a", "one "), segment("", "global\n"), segment("a", "two\n"), segment("a", "bad\n", "ERROR", { anchor: true }), segment("a", "go\n", "INFO", { fields: { buildEvent: "init" } })],
  });
  expect(pieces.map(({ f, m, l }) => [f, m, l])).toEqual([[0, "web", 2], [0, "", 2], [1, "web", 2], [2, "web", 4], [4, "web", 2]]);
  expect(faultsOf(pieces)).toEqual([{ spanId: "a", manifestName: "web", errors: 1, warnings: 0 }]);
});

test("the place of a time is that of the first line that was said then or after", async () => {
  const said = [10, 20, 20, 40].map((seconds, at) => piece(at + 5, `${at}\n`, { t: seconds * 1e6 }));
  const log = new MemoryLog(said);
  const places = await Promise.all([0, 10, 11, 20, 39, 40, 41].map((seconds) => positionAt(log, seconds * 1000)));
  expect(places).toEqual([5, 5, 6, 6, 8, 8, 9]);
});
