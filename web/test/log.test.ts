import { expect, test } from "vitest";
import { cubeColour, plainText, runs } from "../src/core/log/ansi";
import { besideError } from "../src/core/log/beside";
import { structured } from "../src/core/log/json";
import { Lines } from "../src/core/log/lines";
import { drawn } from "../src/core/log/pieces";
import { filterQuery, LineReader } from "../src/core/log/source";
import { parseTerm } from "../src/core/log/terms";
import { piece } from "./make";

const texts = (lines: Lines) => lines.all.map((line) => line.text);

test("a line that comes in pieces is one line, also between lines of others", () => {
  const lines = Lines.of([piece(0, "one "), piece(1, "other\n", { s: "b" }), piece(2, "line\n", { f: 1 })]);
  expect(texts(lines)).toEqual(["one line", "other"]);
  expect(lines.all[0]!.end).toBe(2);
});

test("pieces that come later complete the line; the lines before stay the same ones", () => {
  const before = Lines.of([piece(0, "done\n"), piece(1, "half ")]);
  const after = before.append([piece(2, "whole\n", { f: 1 })]);
  expect(texts(after)).toEqual(["done", "half whole"]);
  expect(after.all[0]).toBe(before.all[0]);
});

test("a line of progress takes the place of the one before it", () => {
  const lines = Lines.of([piece(0, "pull 1%\n", { g: "pull" }), piece(1, "x\n"), piece(2, "pull 2%\n", { g: "pull" })]);
  expect(texts(lines)).toEqual(["pull 2%", "x"]);
  expect(lines.all[0]!.position).toBe(0);
});

test("older lines come before, without progress that is already newer", () => {
  const lines = Lines.of([piece(5, "pull 9%\n", { g: "pull" }), piece(6, "b ")]).prepend([piece(0, "a\n"), piece(1, "pull 1%\n", { g: "pull" })]);
  expect(texts(lines)).toEqual(["a", "pull 9%", "b "]);
  expect(texts(lines.append([piece(7, "c\n", { f: 1 }), piece(8, "pull 10%\n", { g: "pull" })]))).toEqual(["a", "pull 10%", "b c"]);
});

test("after the first lines were let go, pieces still find their line", () => {
  const lines = Lines.of([piece(0, "a\n"), piece(1, "b\n"), piece(2, "c ")]).keepLast(2);
  expect(texts(lines.append([piece(3, "d\n", { f: 1 })]))).toEqual(["b", "c d"]);
  expect(texts(lines.keepFirst(1))).toEqual(["b"]);
});

test("colours and styles are told from text, other sequences are left out", () => {
  expect(runs("a\x1b[1;31mb\x1b[0mc").map(({ text, style }) => [text, style])).toEqual([["a", {}], ["b", { bold: true, fg: 1 }], ["c", {}]]);
  expect(runs("\x1b[38;5;200mx\x1b[48;2;1;2;255my").map(({ style }) => style)).toEqual([{ fg: 200 }, { fg: 200, bg: "#0102ff" }]);
  expect(plainText("\x1b]0;title\x07a\x1b[2Jb\x1b[10;20Hc\x07\x00d\x1b")).toBe("abcd");
  expect(plainText("10%\r50%\r100%")).toBe("100%");
  expect(cubeColour(196)).toBe("rgb(255,0,0)");
});

test("nonsense in sequences does no harm", () => {
  for (const text of ["\x1b[38;5m", "\x1b[38;2;999;1;1mx", "\x1b[;;;m", "\x1b[999999999999m", "\x1b["]) expect(typeof plainText(text)).toBe("string");
  expect(runs("\x1b[38;2;999;1;1mx")[0]!.style).toEqual({});
});

test("what is found is marked across styles, addresses are links", () => {
  const pieces = drawn("see \x1b[31mhttp://a.b/c\x1b[0m.", /a\.b/gi);
  expect(pieces.map(({ text, isMarked, url }) => [text, isMarked, url])).toEqual([
    ["see ", false, undefined], ["http://", false, "http://a.b/c"], ["a.b", true, "http://a.b/c"], ["/c", false, "http://a.b/c"], [".", false, undefined],
  ]);
  expect(drawn("ab\x1b[1mcd", /bc/gi).filter((p) => p.isMarked).map((p) => p.text)).toEqual(["b", "c"]);
});

test("markup in a line is text", () => {
  expect(drawn("<img src=x onerror=alert(1)>", undefined)).toEqual([{ text: "<img src=x onerror=alert(1)>", style: {}, isMarked: false, url: undefined }]);
});

test("beside an error stands what it does not say itself", () => {
  const error = "ImageBuild: exit code: 7\n --> Dockerfile:6:1\n  |\n6 | RUN no";
  const lines = ["before", " → no luck", "", " ERROR IN: [3/3]", "Build Failed: ImageBuild: exit code: 7", " --> Dockerfile:6:1", "  |", "6 | RUN no"];
  expect(besideError(lines, error, 2)).toEqual([" → no luck", " ERROR IN: [3/3]"]);
  expect(besideError(["a", "b"], "", 6)).toEqual(["a", "b"]);
});

test("a term is a text or an expression between slashes", () => {
  expect("xA.Cx".search(parseTerm("a.c").pattern!)).toBe(1);
  expect("abc".search(parseTerm("a.c").pattern!)).toBe(-1);
  expect("ABC".search(parseTerm("/a.c/").pattern!)).toBe(0);
  expect(parseTerm("/(/").error).toMatch(/Invalid regular expression/);
  expect(parseTerm("").pattern).toBeUndefined();
});

test("a JSON line has a level, a message and the rest", () => {
  const found = structured('{"level":"ERROR","ts":1,"msg":"no luck","user":{"id":7}}');
  expect(found).toMatchObject({ level: "error", message: "no luck", fields: [["user", '{"id":7}']] });
  for (const text of ["{no json}", "[1]", "plain", '{"a":1} tail']) expect(structured(text)).toBeUndefined();
});

test("a filter is asked for as the session's endpoint takes it", () => {
  const filter = { resources: ["a b", "c"], level: "error", source: "", term: "x&y", context: 3 } as const;
  expect(String(filterQuery(filter))).toBe("resource=a+b&resource=c&level=error&term=x%26y&context=3");
  expect(String(filterQuery({ ...filter, resources: undefined, level: "", term: "" }))).toBe("");
});

test("lines that come cut in two are read whole", () => {
  const reader = new LineReader();
  const bytes = new TextEncoder().encode('{"x":"ü"}\n{"x":"b"}\n');
  const parts = [bytes.slice(0, 7), bytes.slice(7, 12), bytes.slice(12)];
  expect(parts.flatMap((part) => reader.take(part))).toEqual([{ x: "ü" }, { x: "b" }]);
});
