// The page on real sessions of local resources, in a real browser.
import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { after, afterEach, before, test } from "node:test";
import { browser as launch, freePort, open, picture, PATIENCE, Session, until } from "./session.mjs";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const TILTFILE = `
update_settings(max_parallel_updates=8)
local_resource('api', 'echo compiled api', serve_cmd='cat api.log; echo listening; exec sleep 1000', labels=['back'], links=[link('http://0.0.0.0:8080/api', 'api docs')])
local_resource('db', serve_cmd='echo ready to accept connections; exec sleep 1000', labels=['back'])
local_resource('frontend', 'cat app.txt && grep -q good app.txt', deps=['app.txt'], resource_deps=['db'], labels=['shop'])
local_resource('lint', 'echo linted', trigger_mode=TRIGGER_MODE_MANUAL, auto_init=False, labels=['tools'])
local_resource('seed', 'echo seeding; sleep 1000', auto_init=False, trigger_mode=TRIGGER_MODE_MANUAL, labels=['tools.data'])
local_resource('<b>bold&"quotes"', 'echo fine', labels=['tools'])
`;

const API_LOG = [
  '{"level":"info","time":"2026-01-02T03:04:05Z","msg":"request served","path":"/cart","ms":12,"user":{"id":7,"plan":"free"}}',
  "\x1b[32mGET\x1b[0m /cart \x1b[1m200\x1b[0m in 12ms",
  "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
  "see https://example.com/docs for more",
  ...Array.from({ length: 400 }, (_, n) => `worker ${n % 7} did job ${n}`),
  "needle in the hay",
  ...Array.from({ length: 40 }, (_, n) => `after ${n}`),
  "",
].join("\n");

const BUTTON = `
apiVersion: tilt.dev/v1alpha1
kind: UIButton
metadata: {name: seed-db}
spec:
  location: {componentID: db, componentType: Resource}
  text: Seed the database
  iconName: bolt
  inputs:
  - {name: rows, label: Rows, text: {defaultValue: "10", placeholder: how many}}
  - {name: dry, label: Dry run, bool: {}}
  - {name: kind, label: Kind, choice: {choices: [small, large]}}
`;

let session, browser, page;

before(async () => {
  session = new Session({ Tiltfile: TILTFILE, "app.txt": "good\n", "api.log": API_LOG, "button.yaml": BUTTON });
  [, browser] = await Promise.all([session.start(), launch()]);
  page = await open(browser, session.url);
});
after(async () => {
  await browser?.close();
  await session?.remove();
});

// What one test leaves open is not in the way of the next.
afterEach(() => page.evaluate(() => document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close())).catch(() => {}));

const row = (name) => page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });
const toTable = () => page.getByRole("link", { name: "Tilt: all resources in a table" }).click();
const openResource = async (name) => {
  await toTable();
  await row(name).getByRole("link", { name, exact: true }).click();
  await page.getByRole("heading", { name }).waitFor();
};
const line = (text) => page.locator(".line", { hasText: text });

/** The page has the end of the log at first. */
const toBeginning = async () => {
  await line("after 39").waitFor();
  await page.keyboard.press("Home");
};

/** Nothing serious may be found by axe. */
async function accessible(name) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(bad.map(({ id, nodes }) => [name, id, nodes.map((node) => node.html).slice(0, 3)]), []);
}

test("the first look shows every resource, its groups, and how it is", async () => {
  await row("frontend").getByText(/Updated in/).waitFor();
  await row("api").getByText("Runtime Ready").waitFor();
  for (const group of ["shop", "back", "tools", "Tiltfile"]) await page.getByRole("button", { name: group, exact: true }).waitFor();
  // `tools.data` is a group within `tools`.
  await page.locator(".group-head.depth-1").getByRole("button", { name: "data", exact: true }).waitFor();
  await row("api").getByRole("link", { name: "api docs" }).waitFor();
  assert.equal(await row("api").getByRole("link", { name: "api docs" }).getAttribute("href"), "http://localhost:8080/api");
  await page.waitForFunction(() => document.title.startsWith("✔︎"));
  await accessible("table");
  await picture(page, "table-light");
});

test("names and lines are text, whatever is in them", async () => {
  await row('<b>bold&"quotes"').waitFor();
  await openResource("api");
  await toBeginning();
  await line("<img src=x onerror=").waitFor();
  assert.ok(!(await page.title()).includes("owned"));
  assert.deepEqual(page.wrongs, []);
});

test("scripts and styles of others do not run", async () => {
  const response = await page.request.get(`${session.url}/overview`);
  const policy = response.headers()["content-security-policy"];
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'"]) assert.ok(policy.includes(part), policy);
  const ran = await page.evaluate(() => {
    try {
      document.body.insertAdjacentHTML("beforeend", "<script>globalThis.ran = 1</script>");
    } catch {
      return "refused";
    }
    return globalThis.ran;
  });
  assert.equal(ran, "refused");
  // The browser told of it.
  page.wrongs.length = 0;
});

test("the log shows colours, links and JSON, and finds what the server has", async () => {
  await openResource("api");
  await toBeginning();
  assert.match(await line("GET").locator("span.fg-2").first().textContent(), /GET/);
  await line("see https://").getByRole("link", { name: "https://example.com/docs" }).waitFor();
  const json = line("request served");
  await json.getByRole("button", { name: "Unfold" }).click();
  await json.getByText('"plan": "free"').waitFor();
  await json.getByRole("button", { name: "Fold" }).click();
  await page.getByRole("searchbox", { name: /Filter lines/ }).fill("needle");
  await page.waitForURL(/term=needle/);
  await page.locator("mark", { hasText: "needle" }).waitFor();
  await line("worker 6 did job 398").waitFor();
  assert.equal(await line("worker 0 did job 0").count(), 0);
  await picture(page, "log-light");
});

test("a search that finds nothing says so, though the beginnings of updates stay", async () => {
  await openResource("api");
  const box = page.getByRole("searchbox", { name: /Filter lines/ });
  await box.fill("nowhere to be found");
  await page.getByText("No line matches.").waitFor();
  await line("Initial Build").waitFor();
  await box.fill("");
  await line("after 39").waitFor();
  assert.equal(await page.getByText("No line matches.").count(), 0);
});

test("a regular expression that is none is told as such", async () => {
  const box = page.getByRole("searchbox", { name: /Filter lines/ });
  await box.fill("/(/");
  await page.getByRole("alert").first().waitFor();
  await box.fill("/job 39[0-2]$/");
  await line("worker 0 did job 392").locator("mark").waitFor();
  await box.fill("");
  await page.waitForURL((url) => !url.search.includes("term"));
});

test("a line has a link, which opens what is around it", async () => {
  await openResource("api");
  const box = page.getByRole("searchbox", { name: /Filter lines/ });
  await box.fill("needle");
  const found = page.locator(".line", { has: page.locator("mark") });
  await found.waitFor();
  const position = await found.getAttribute("data-position");
  await found.getByRole("link", { name: /Link to line/ }).click();
  await page.waitForURL(new RegExp(`line=${position}`));
  await page.goto(`${session.url}/r/api/overview?line=${position}`);
  await page.locator(".line.is-target", { hasText: "needle" }).waitFor();
  await line("worker 1 did job 393").waitFor();
});

test("timestamps, wrapping and the size of text are remembered", async () => {
  await page.getByRole("button", { name: /Timestamps: off/ }).click();
  await page.locator(".line-link", { hasText: /^\d\d:\d\d:\d\d\.\d{3}$/ }).first().waitFor();
  await page.reload();
  await page.locator(".line-link", { hasText: /^\d\d:\d\d:\d\d\.\d{3}$/ }).first().waitFor();
  await page.getByRole("button", { name: /Timestamps: time of day/ }).click();
  await page.getByRole("button", { name: /Timestamps: how long ago/ }).click();
});

test("a time leads to what was said then", async () => {
  await openResource("api");
  await line("after 39").waitFor();
  await page.keyboard.press("t");
  const dialog = page.getByRole("dialog", { name: "Go to a time in the log" });
  await accessible("time");
  await dialog.getByRole("button", { name: "1 day ago" }).click();
  await line("compiled api").first().waitFor();
  await page.waitForURL(/line=0/);
});

test("the whole log can be had as a file", async () => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download the whole log" }).click()]);
  const text = readFileSync(await download.path(), "utf8");
  assert.match(text, /worker 0 did job 0\n/);
  assert.match(download.suggestedFilename(), /^tilt-log-api\.txt$/);
});

test("what is cleared stays away until it is wanted back", async () => {
  await openResource("api");
  await line("after 39").waitFor();
  await page.getByRole("button", { name: /^Clear/ }).click();
  await page.getByText("Earlier lines were cleared.").waitFor();
  assert.equal(await line("after 39").count(), 0);
  await page.getByRole("button", { name: "Show them" }).click();
  await line("after 39").waitFor();
});

test("a build that fails shows why, and an edit mends it", async () => {
  await openResource("frontend");
  session.write("app.txt", "broken\n");
  await page.locator(".fault").first().waitFor();
  await page.waitForFunction(() => document.title.startsWith("✖︎ 1"));
  await page.getByRole("button", { name: /^errors/ }).click();
  const errors = page.getByRole("dialog", { name: "Errors" });
  await errors.getByRole("link", { name: "frontend" }).waitFor();
  await accessible("errors");
  await picture(page, "errors-light");
  await errors.getByText("grep -q good app.txt").first().waitFor();
  await errors.getByRole("link", { name: "frontend" }).click();
  await errors.waitFor({ state: "detached" });
  await toTable();
  await row("frontend").getByText("Update error").waitFor();
  session.write("app.txt", "good again\n");
  await row("frontend").getByText(/Updated in/).waitFor();
  await page.waitForFunction(() => document.title.startsWith("✔︎"));
});

test("details say why an update began and what depends on what", async () => {
  await openResource("db");
  await page.getByRole("button", { name: "Details" }).click();
  const facts = page.getByRole("region", { name: "About db" });
  await facts.getByText("Needed by").waitFor();
  await facts.getByRole("link", { name: "frontend" }).click();
  const about = page.getByRole("region", { name: "About frontend" });
  await about.getByText("changed: app.txt").first().waitFor();
  await about.getByText("Depends on").waitFor();
  await accessible("detail");
  await picture(page, "detail-light");
  await about.getByRole("button", { name: "Details" }).click();
});

test("an update is triggered, seen, and stopped", async () => {
  await toTable();
  await row("lint").getByRole("button", { name: /Trigger update/ }).click();
  await row("lint").getByText(/Updated in/).waitFor();
  await row("seed").getByRole("button", { name: /Trigger update/ }).click();
  await row("seed").getByRole("button", { name: /Stop update/ }).click();
  await row("seed").getByText("Update error").waitFor();
  await row("seed").getByRole("switch").click();
  await page.waitForFunction(() => document.querySelector('[aria-label="seed: automatic updates"]')?.getAttribute("aria-checked") === "true");
});

test("several are disabled and enabled at once", async () => {
  await toTable();
  for (const name of ["seed", "lint"]) await page.getByRole("checkbox", { name: `Select ${name}` }).check();
  await page.getByText("2 selected").waitFor();
  await page.getByRole("button", { name: "Disable", exact: true }).click();
  await page.getByRole("button", { name: "Confirm", exact: true }).click();
  await row("seed").waitFor({ state: "detached" });
  await page.getByRole("checkbox", { name: "Show disabled resources" }).check();
  await row("seed").getByText("Disabled").first().waitFor();
  await row("lint").getByRole("link", { name: "lint", exact: true }).click();
  await page.getByRole("button", { name: "Enable Resource" }).click();
  await page.getByRole("button", { name: "Disable Resource" }).waitFor();
});

test("a button with inputs sends what was entered, and remembers it", async () => {
  await session.tilt("apply", "-f", "button.yaml");
  await openResource("db");
  const press = () => page.getByRole("button", { name: "Seed the database" }).click();
  await press();
  const dialog = page.getByRole("dialog", { name: "Configure Seed the database" });
  await dialog.getByRole("textbox", { name: "Rows" }).fill("25");
  await dialog.getByRole("checkbox", { name: "Dry run" }).check();
  await dialog.getByRole("combobox", { name: "Kind" }).selectOption("large");
  await accessible("inputs");
  await picture(page, "button-light");
  await dialog.getByRole("button", { name: "Confirm & Execute" }).click();
  await page.getByText("Triggered button: Seed the database").waitFor();
  const { stdout } = await session.tilt("get", "uibutton", "seed-db", "-o", "json");
  assert.deepEqual(JSON.parse(stdout).status.inputs, [
    { name: "rows", text: { value: "25" } },
    { name: "dry", bool: { value: true } },
    { name: "kind", choice: { value: "large" } },
  ]);
  await press();
  assert.equal(await dialog.getByRole("textbox", { name: "Rows" }).inputValue(), "25");
  await page.keyboard.press("Escape");
});

test("a broken Tiltfile is told with its place", async () => {
  session.write("Tiltfile", `${TILTFILE}\nlocal_resource('x', unknown=1)\n`);
  await toTable();
  await row("(Tiltfile)").getByText("Update error").waitFor();
  await row("(Tiltfile)").getByRole("link", { name: "(Tiltfile)", exact: true }).click();
  await page.locator(".fault", { hasText: "unknown" }).waitFor();
  await page.locator(".line", { hasText: "^" }).first().waitFor();
  session.write("Tiltfile", TILTFILE);
  await page.locator(".fault").waitFor({ state: "detached" });
});

test("stars make a bar and a log of their own", async () => {
  await toTable();
  for (const name of ["api", "db"]) await row(name).getByRole("button", { name: `Star ${name}` }).click();
  await page.getByRole("link", { name: "All Starred" }).click();
  await page.waitForURL(/\(starred\)/);
  await line("after 39").waitFor();
  const box = page.getByRole("searchbox", { name: /Filter lines/ });
  await box.fill("/^(ready to accept|linted)/");
  await line("ready to accept connections").last().waitFor();
  assert.equal(await line("linted").count(), 0);
});

test("all is reached by keys", async () => {
  await page.goto(`${session.url}/overview`);
  await row("api").waitFor();
  const focused = (wanted) => page.waitForFunction((wanted) => document.activeElement?.querySelector(".name")?.textContent === wanted, wanted);
  const first = "api";
  await page.keyboard.press("j");
  await focused(first);
  await page.keyboard.press("ArrowDown");
  await focused("db");
  await page.keyboard.press("k");
  await focused(first);
  await page.keyboard.press("x");
  await page.getByText("1 selected").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: first }).waitFor();
  await page.keyboard.press("j");
  await page.getByRole("heading", { name: first }).waitFor({ state: "detached" });
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("fron");
  await page.getByText("1 result", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  // Both keys before the page is told that the first box is closed.
  await page.evaluate(() => {
    document.querySelector("dialog[open]").close();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "s", bubbles: true }));
  });
  await page.getByRole("dialog", { name: "Create a Snapshot" }).waitFor();
  await page.evaluate(() => new Promise((done) => setTimeout(done)));
  assert.ok(await page.getByRole("dialog", { name: "Create a Snapshot" }).isVisible());
  await page.keyboard.press("Escape");
});

test("dark and light, and narrow screens", async () => {
  await page.goto(`${session.url}/overview`);
  await page.getByRole("button", { name: /Theme: system/ }).click();
  await page.getByRole("button", { name: /Theme: light/ }).click();
  await row("api").waitFor();
  await accessible("table, dark");
  await picture(page, "table-dark");
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok((await overflow()) <= 0, "the table fits 360 px");
  const cut = () => page.locator(".summary").evaluate((counts) => counts.scrollWidth - counts.clientWidth);
  assert.ok((await cut()) <= 0, "no count is cut at 360 px");
  await picture(page, "table-dark-360");
  await page.goto(`${session.url}/r/api/overview`);
  await line("after 39").waitFor();
  const collapse = page.getByRole("button", { name: "Collapse the list of resources" });
  if (await collapse.isVisible()) await collapse.click();
  assert.ok((await overflow()) <= 0, "the log fits 360 px");
  await accessible("log, dark, 360 px");
  await picture(page, "log-dark-360");
  await page.getByRole("button", { name: /Theme: dark/ }).click();
  await page.getByRole("button", { name: /Theme: system/ }).click();
  await picture(page, "log-light-360");
  await page.getByRole("button", { name: "List of resources" }).click();
  await page.setViewportSize({ width: 1280, height: 760 });
});

test("an unknown resource is told by its name, however long", async () => {
  await page.goto(`${session.url}/r/${"x".repeat(10_000)}/overview`);
  await page.getByText(/No resource 'x+…'/).waitFor();
});

test("a snapshot is saved from the page and opens in it", async () => {
  await page.goto(`${session.url}/r/api/overview`);
  await line("after 39").waitFor();
  await page.keyboard.press("s");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save Snapshot" }).click()]);
  assert.match(download.suggestedFilename(), /^tilt-snapshot_\d{4}-\d\d-\d\d_\d{6}\.json$/);
  const file = join(session.dir, "snapshot.json");
  writeFileSync(file, readFileSync(await download.path()));
  const port = await freePort();
  // What opens a browser is told the address, and here it notes it.
  session.write("bin/xdg-open", '#!/bin/sh\nprintf %s "$1" >opened.part && mv opened.part opened\n');
  chmodSync(join(session.dir, "bin/xdg-open"), 0o755);
  const env = { ...session.env, PATH: `${join(session.dir, "bin")}:${session.env.PATH}` };
  const viewer = spawn(process.env.TILT_BIN ?? "tilt", ["snapshot", "view", `--port=${port}`, file], { cwd: session.dir, env, stdio: ["ignore", "pipe", "inherit"] });
  try {
    await new Promise((done) => viewer.stdout.once("data", done));
    const address = await until("a browser is opened", () => session.read("opened"));
    assert.equal(address, `http://localhost:${port}/snapshot/local`);
    const other = await open(browser, address);
    await other.getByText(/Snapshot \(created at/).waitFor();
    await other.getByRole("heading", { name: "api" }).waitFor();
    await other.locator(".line", { hasText: "after 39" }).waitFor();
    await other.getByRole("searchbox", { name: /Filter lines/ }).fill("needle");
    await other.locator("mark").waitFor();
    assert.equal(await other.getByRole("button", { name: /Snapshot/ }).count(), 0);
    await other.waitForFunction(() => document.title.startsWith("Snapshot: "));
    assert.deepEqual(other.wrongs, []);
    await other.context().close();
  } finally {
    viewer.kill("SIGINT");
  }
});

test("a session that went away and came back is shown again", async () => {
  await page.goto(`${session.url}/overview`);
  await row("api").waitFor();
  await session.stop("SIGKILL");
  await page.getByText("Connection failed: reconnecting…").waitFor();
  assert.equal(await page.title(), "Disconnected ┊ Tilt");
  await row("api").waitFor();
  session.write("Tiltfile", `${TILTFILE}\nlocal_resource('newcomer', 'echo hi')\n`);
  await session.start();
  await row("newcomer").waitFor();
  await page.getByText("Connection failed: reconnecting…").waitFor({ state: "detached" });
});

test("who may not look is told how to get in", async () => {
  await page.route("**/api/websocket_token", (route) => route.fulfill({ status: 403, body: "missing session token" }));
  await page.reload();
  await page.getByRole("heading", { name: "This session asks for a token" }).waitFor();
  await page.unroute("**/api/websocket_token");
  await page.getByLabel("Token").fill("nonsense");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Token").fill(readFileSync(join(session.home, "token"), "utf8"));
  await page.getByRole("button", { name: "Enter" }).click();
  await row("api").waitFor();
});

test("nothing went wrong in the page meanwhile", () => {
  assert.deepEqual(page.wrongs, []);
  assert.ok(PATIENCE > 0);
});
