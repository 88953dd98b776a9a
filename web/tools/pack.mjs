// Compresses what Vite built into dist/, which the binary carries: one file for each, and `index` with path and type of each.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** What all of the page may weigh, compressed. */
const LIMIT = 150_000;
const web = join(dirname(fileURLToPath(import.meta.url)), "..");
const [from, to] = [join(web, "build"), join(web, "dist")];
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };

const walk = (dir) => readdirSync(dir).flatMap((name) => {
  const path = join(dir, name);
  return statSync(path).isDirectory() ? walk(path) : [path];
});

mkdirSync(to, { recursive: true });
for (const name of readdirSync(to)) if (name !== ".gitignore") rmSync(join(to, name), { recursive: true });
let total = 0;
const index = walk(from).sort().map((path, at) => {
  const packed = gzipSync(readFileSync(path), { level: 9 });
  total += packed.length;
  writeFileSync(join(to, `${at}.gz`), packed);
  const type = types[extname(path)];
  if (!type) throw new Error(`${path}: a file of an unknown type`);
  return `${at}.gz\t/${relative(from, path)}\t${type}\n`;
});
writeFileSync(join(to, "index"), index.join(""));
console.log(`the page weighs ${(total / 1000).toFixed(1)} kB, compressed`);
if (total > LIMIT) {
  console.error(`that is more than ${LIMIT / 1000} kB`);
  process.exit(1);
}
