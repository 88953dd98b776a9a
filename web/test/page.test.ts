import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
// @ts-expect-error the tool has no types
import { generate } from "../tools/wire-types.mjs";
import { pause } from "../src/app/connection";
import { news } from "../src/app/notify";
import { clicked, startValue, svgImage } from "../src/core/buttons";
import { linkText, safeUrl, withLinks } from "../src/core/links";
import { ALL, detailPath, parsePlace } from "../src/core/routes";
import { ago, before, duration, millis } from "../src/core/time";
import { causeText, lastInWords, spans } from "../src/core/history";
import { button } from "./make";

test("the types of the wire are those of the Rust side: else run `npm run types`", () => {
  const stored = readFileSync(join(import.meta.dirname, "../src/wire/types.ts"), "utf8");
  expect(stored).toBe(generate());
});

test("paths are those of Tilt's page, and the way back", () => {
  const of = (path: string, search = "") => parsePlace(path, search);
  expect(of("/").route).toEqual({ view: "table" });
  expect(of("/overview").route).toEqual({ view: "table" });
  expect(of("/r/web/").route).toEqual({ view: "table" });
  expect(of("/r/(all)/overview").route).toEqual({ view: "detail", name: ALL });
  expect(of("/snapshot/local/r/web/overview")).toMatchObject({ base: "/snapshot/local", route: { view: "detail", name: "web" } });
  expect(of("/r/web/overview", "?level=warn&source=build&term=%2Fa%2F&line=7").log).toEqual({ level: "warn", source: "build", term: "/a/", line: 7 });
  expect(of("/r/web/overview", "?level=x&line=-1").log).toEqual({ level: "", source: "", term: "", line: undefined });
  expect(of("/r/%zz/overview").route).toEqual({ view: "detail", name: "%zz" });
  const name = "a/b ü%";
  expect(of(detailPath("", name)).route).toEqual({ view: "detail", name });
  expect(detailPath("", ALL, { level: "error", term: "a b" })).toBe("/r/(all)/overview?level=error&term=a+b");
});

test("only addresses of the web are links", () => {
  expect(safeUrl("http://0.0.0.0:8080/x", "box")).toBe("http://box:8080/x");
  for (const bad of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "nonsense"]) expect(safeUrl(bad, "h")).toBeUndefined();
  expect(linkText({ url: "https://www.a.b/" })).toBe("a.b");
  expect(linkText({ url: "https://a.b/", name: "site" })).toBe("site");
  expect(withLinks("at https://a.b/c, then")).toEqual([{ text: "at " }, { text: "https://a.b/c", url: "https://a.b/c" }, { text: ", then" }]);
});

test("a click sends all inputs, with what was entered", () => {
  const of = button("seed", "db", {
    inputs: [{ name: "n", label: "", text: { defaultValue: "5" } }, { name: "dry", label: "", bool: {} }, { name: "who", label: "", choice: { choices: ["a", "b"] } }, { name: "h", label: "", hidden: { value: "x" } }],
  });
  const sent = clicked(of, { dry: true, who: "b" }, new Date("2026-01-02T03:04:05.678Z"));
  expect(sent.status).toEqual({
    lastClickedAt: "2026-01-02T03:04:05.678000Z",
    inputs: [{ name: "n", text: { value: "5" } }, { name: "dry", bool: { value: true } }, { name: "who", choice: { value: "b" } }, { name: "h", hidden: { value: "x" } }],
  });
});

test("what was entered last is offered again where it still fits", () => {
  const choice = { name: "who", label: "", choice: { choices: ["a", "b"] } };
  expect([startValue(choice, { who: "b" }), startValue(choice, { who: "gone" })]).toEqual(["b", "a"]);
  expect(startValue({ name: "n", label: "", text: { defaultValue: "5" } }, { n: "" })).toBe("");
});

test("an icon of a button is only ever an image", () => {
  expect(svgImage('<svg onload="alert(1)"/>')).toBe("data:image/svg+xml,%3Csvg%20onload%3D%22alert(1)%22%2F%3E");
});

test("times are said as Tilt's page says them", () => {
  const now = Date.parse("2026-01-02T03:04:00Z");
  const said = [3, 14, 29, 44, 59, 60, 200, 7300, 200_000].map((s) => ago(new Date(now - s * 1000).toISOString(), now));
  expect(said).toEqual(["<5s ago", "<15s ago", "<30s ago", "<45s ago", "<1m ago", "1m ago", "3m ago", "2h ago", "2d ago"]);
  expect([duration(40), duration(9940), duration(9960), duration(90_000), duration(7_200_000)]).toEqual(["0.0s", "9.9s", "10s", "2m", "2h"]);
  expect(before(now - 65_000, now)).toBe("-1m05s");
  expect([millis(null), millis("0001-01-01T00:00:00Z"), millis("x")]).toEqual([undefined, undefined, undefined]);
});

test("a lost connection is tried again at once, then less and less often, on this machine more often", () => {
  expect([0, 1, 2, 3, 4, 5, 9].map((tries) => pause(tries, "box"))).toEqual([0, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  expect([0, 1, 2, 9].map((tries) => pause(tries, "localhost"))).toEqual([0, 1000, 1500, 1500]);
});

test("it is worth a notification that all is ready, or how many are not well", () => {
  const sum = { total: 3, unhealthy: 0, warning: 1, pending: 0, healthy: 3, disabled: 1 };
  expect([news(sum), news({ ...sum, unhealthy: 2 }), news({ ...sum, pending: 1, healthy: 2 }), news({ ...sum, total: 0 })]).toEqual(["Ready", "Unhealthy resources: 2", "", ""]);
});

test("it is said why an update began, and where its time went", () => {
  const at = (s: number) => `2026-01-02T03:04:0${s}.000000Z`;
  expect(causeText({ kind: "files", files: ["a/x.go", "b/y.go", "z", "q"].map((path) => ({ path })) })).toBe("changed: x.go, y.go, z, and 1 more");
  expect(causeText({ kind: "asked", by: "web" })).toBe("asked for (web)");
  expect(causeText({ kind: "something-new" })).toBe("something-new");
  const update = {
    resource: "web", number: 1, kind: "full", causes: [], wanted: at(0), started: at(2), ended: at(5), outcome: { result: "ok" },
    stages: [{ kind: "images", from: at(2), until: at(4) }, { kind: "rollout", name: "web", from: at(4) }],
    waits: [{ reason: "waiting-for-dep", on: ["db"], from: at(0), until: at(2) }],
  };
  const parts = spans(update, Date.parse(at(5)));
  expect(parts.map(({ text }) => text)).toEqual(["waited for db 2.0s", "images 2.0s", "rollout web 1.0s"]);
  expect(parts.map(({ milliseconds }) => milliseconds)).toEqual([2000, 2000, 1000]);
  const told = { ...update, causes: [{ kind: "asked", by: "web" }] };
  expect(lastInWords({ resource: "web", updates: [told, update] }, Date.parse(at(5)))).toBe("asked for (web)\nwaited for db 2.0s\nimages 2.0s\nrollout web 1.0s");
  expect(lastInWords({ resource: "web" }, 0)).toBe("");
});
