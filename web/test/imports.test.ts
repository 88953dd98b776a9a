// Files import each other in one direction.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../src");
const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));

/** Returns which files a file imports, as code or as types. */
function imports(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  const named = [...text.matchAll(/^(?:import|export) [^"]*"(\.[^"]*)"/gm)].map((match) => relative(root, join(root, dirname(file), match[1]!)));
  return named.flatMap((name) => files.filter((file) => file.replace(/\.tsx?$/, "") === name));
}

/** Returns a circle of files, if there is one. */
function circle(of: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const from = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of of.get(file) ?? []) {
      const found = from(next, [...path, file]);
      if (found) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of of.keys()) {
    const found = from(file, []);
    if (found) return found;
  }
  return undefined;
}

test("a circle is found", () => {
  expect(circle(new Map([["a", ["b"]], ["b", ["c", "d"]], ["c", []], ["d", ["b"]]]))).toEqual(["b", "d", "b"]);
});

test("the core knows neither the page nor the browser", () => {
  const core = files.filter((file) => file.startsWith("core/"));
  expect(core.length).toBeGreaterThan(10);
  for (const file of core) {
    expect([file, imports(file).filter((other) => !/^(core|wire)\//.test(other))]).toEqual([file, []]);
    const text = readFileSync(join(root, file), "utf8");
    expect([file, /from "preact|\b(document|window|localStorage|sessionStorage)\.[a-z]|\bfetch\(/.exec(text)?.[0]]).toEqual([file, undefined]);
  }
});

test("imports make no circle", () => {
  const all = new Map(files.map((file) => [file, imports(file)]));
  expect(all.get("ui/LogPane.tsx")).toContain("ui/LogBar.tsx");
  expect(circle(all)).toBeUndefined();
});
