import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** The session that `npm run dev` shows. */
const session = `http://localhost:${process.env["TILT_PORT"] ?? "10350"}`;

/** This user's token: the session that is shown has not handed out its cookie to the development server's page. */
function userToken(): string {
  const dir = process.env["TILT_DEV_DIR"] ?? join(homedir(), ".tilt-dev");
  try {
    return readFileSync(join(dir, "token"), "utf8").trim();
  } catch {
    return "";
  }
}

const headers = { origin: session, "x-tilt-token": userToken() };
const proxied = { target: session, changeOrigin: true, headers };

export default defineConfig({
  build: { outDir: "build", target: "es2022", modulePreload: false, cssCodeSplit: false, assetsInlineLimit: 0 },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { proxy: { "/api": proxied, "/proxy": proxied, "/ws": { ...proxied, ws: true } } },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
