// Real sessions and a real browser for the tests of the page. TILT_BIN names the binary, CHROMIUM the browser.
import { spawn, execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const run = promisify(execFile);
const binary = () => process.env.TILT_BIN ?? "tilt";

/** How long anything may take to be seen, in milliseconds. */
export const PATIENCE = Number(process.env.TILT_E2E_PATIENCE ?? 20_000);

/** Returns what is found, once it is. */
export async function until(what, is) {
  for (const end = Date.now() + PATIENCE; ; ) {
    const found = await is();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    // Others have their turn.
    await new Promise((done) => setImmediate(done));
  }
}

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** A folder with a Tiltfile and a session that runs it. */
export class Session {
  constructor(files, env = {}) {
    this.dir = mkdtempSync(join(tmpdir(), "tilt-page-"));
    this.home = mkdtempSync(join(tmpdir(), "tilt-home-"));
    this.env = { ...process.env, KUBECONFIG: "none", ...env, HOME: this.home, TILT_DEV_DIR: this.home, XDG_STATE_HOME: this.home };
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name, text) {
    const path = join(this.dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** Returns the text of a file; nothing if there is none. */
  read(name) {
    const path = join(this.dir, name);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  /** Starts `tilt up`, on the same port again if it ran before. */
  async start(args = []) {
    this.port ??= await freePort();
    this.process = spawn(binary(), ["up", "--stream", `--port=${this.port}`, ...args], { cwd: this.dir, env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    this.output = "";
    const take = (text) => (this.output += text);
    this.process.stdout.on("data", take);
    this.process.stderr.on("data", take);
    await this.answers();
    return this;
  }

  /** Waits until its port is listened on. */
  async answers() {
    for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
      if (this.process.exitCode !== null) throw new Error(`tilt ended:\n${this.output}`);
      const is = await fetch(`${this.url}/overview`).then((r) => r.ok, () => false);
      if (is) return;
    }
    throw new Error(`tilt does not answer:\n${this.output}`);
  }

  get url() {
    return `http://localhost:${this.port}`;
  }

  /** Runs a command that talks to the session. */
  tilt(...args) {
    return run(binary(), args, { cwd: this.dir, maxBuffer: 64 << 20, env: { ...this.env, TILT_PORT: String(this.port) } });
  }

  async stop(signal = "SIGINT") {
    if (!this.process || this.process.exitCode !== null) return;
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill(signal);
    await ended;
  }

  async remove() {
    await this.stop();
    for (const dir of [this.dir, this.home]) rmSync(dir, { recursive: true, force: true });
  }
}

/** Starts the browser. A page that is not taken from the session itself must be let talk to it all the same. */
export const browser = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-features=LocalNetworkAccessChecks"] });

/** Returns a context of its own, in which pages come from TILT_E2E_PAGE if that names a build. */
export async function contextOf(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 760 }, acceptDownloads: true, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(PATIENCE);
  if (process.env.TILT_E2E_PAGE) await serveFrom(context, process.env.TILT_E2E_PAGE);
  return context;
}

/** Opens a page; what it reports as wrong is gathered in `page.wrongs`. */
export async function open(browser, url, options = {}) {
  const context = await contextOf(browser, options);
  const page = await context.newPage();
  page.wrongs = [];
  page.on("pageerror", (error) => page.wrongs.push(String(error)));
  page.on("console", (message) => {
    const isLost = /ERR_CONNECTION|WebSocket connection|Failed to load resource/.test(message.text());
    if (message.type() === "error" && !isLost) page.wrongs.push(message.text());
  });
  await page.goto(url);
  return page;
}

/** Takes the page from a build beside the binary's own, so that a change of it needs no build of the binary. */
async function serveFrom(context, dir) {
  await context.route(/./, async (route) => {
    if (route.request().resourceType() !== "document") return route.fallback();
    return route.fulfill({ response: await route.fetch(), path: join(dir, "index.html") });
  });
  const assets = readdirSync(join(dir, "assets"));
  await context.route(/\/assets\//, (route) => {
    const end = extname(new URL(route.request().url()).pathname);
    return route.fulfill({ path: join(dir, "assets", assets.find((name) => name.endsWith(end))) });
  });
}

/** Writes a picture where TILT_SCREENSHOTS says, if it says so. */
export async function picture(page, name) {
  const dir = process.env.TILT_SCREENSHOTS;
  if (!dir) return;
  mkdirSync(dir, { recursive: true });
  await page.screenshot({ path: join(dir, `${name}.png`), animations: "disabled", caret: "hide" });
}
