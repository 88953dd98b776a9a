// Makes src/wire/types.ts from the tables that the Rust side owns: the kinds of the API, and what the page's endpoints send.
// `npm run types` writes it; a test says when it is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = join(dirname(fileURLToPath(import.meta.url)), "..");
const core = join(web, "../crates/core/src");
const tables = ["view/wire.txt", "k8s/schema/tilt.txt", "k8s/schema/types.txt"];
const roots = ["page.View", "page.Snapshot", "page.LogLine", "page.LogPage", "page.Detail", "page.History"];

/** Reads the lines `type NAME FIELD:SHAPE ...` of a table. */
function read(table, types) {
  for (const line of readFileSync(join(core, table), "utf8").split("\n")) {
    const [word, name, ...fields] = line.split(" ");
    if (word === "type" && name && !types.has(name)) types.set(name, fields.filter(Boolean));
  }
}

const plain = new Map([
  ["string", "string"], ["bool", "boolean"], ["int32", "number"], ["int64", "number"], ["uint32", "number"], ["float64", "number"],
  ["!Time", "string"], ["!MicroTime", "string"], ["any", "unknown"], ["!Any", "unknown"],
]);

const shortName = (name) => name.split(".").pop();

/** Returns the TypeScript type of a shape, and notes the struct that it names. */
function type(shape, wanted) {
  if (shape.startsWith("[]")) return `${type(shape.slice(2), wanted)}[]`;
  if (shape.startsWith("{}")) return `Record<string, ${type(shape.slice(2), wanted)}>`;
  if (shape.startsWith("*")) return type(shape.slice(1), wanted);
  // A type of Go that is another one by a name of its own, as in `string(types.UID)`.
  const known = plain.get(shape.replace(/\(.*\)$/, ""));
  if (known) return known;
  if (shape.startsWith("!")) return "unknown";
  wanted.push(shape);
  return shortName(shape);
}

/** Returns the whole file. */
export function generate() {
  const types = new Map();
  for (const table of tables) read(table, types);
  const [done, out] = [new Set(), []];
  const wanted = [...roots];
  while (wanted.length > 0) {
    const name = wanted.shift();
    if (done.has(name)) continue;
    done.add(name);
    const fields = types.get(name);
    if (!fields) throw new Error(`no table has the type ${name}`);
    const lines = fields.map((field) => {
      const at = field.indexOf(":");
      const key = field.slice(0, at);
      const shape = type(field.slice(at + 1), wanted);
      return key.endsWith("?") ? `  ${key.slice(0, -1)}?: ${shape} | null;` : `  ${key}: ${shape};`;
    });
    out.push(`export interface ${shortName(name)} {\n${lines.join("\n")}\n}\n`);
  }
  return `// Made by tools/wire-types.mjs from ${tables.join(", ")}. Do not edit: npm run types.\n\n${out.join("\n")}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(web, "src/wire/types.ts"), generate());
}
