// What users of Tilt's page are used to, one thing after the other, on a real session of local resources.
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { browser as launch, open, picture, Session, until } from "./session.mjs";

const button = (name, text, place, more = "") => `v1alpha1.ui_button(name='${name}', text='${text}', location=v1alpha1.ui_component_location(component_id='${place}', component_type='${place === "nav" ? "Global" : "Resource"}')${more})`;
const TILTFILE = `
update_settings(max_parallel_updates=8)
${button("clean", "Clean all", "nav", ", icon_name='delete'")}
${button("drop", "Drop it", "web", ", requires_confirmation=True")}
${button("dead", "Out of order", "web", ", disabled=True")}
local_resource('web', 'echo built web', serve_cmd='exec tail -n +1 -f serve.log', labels=['shop'], links=['http://0.0.0.0:8080/a', 'https://www.example.com/b/'])
local_resource('api', 'echo built api', deps=['api.txt'], labels=['shop'])
local_resource('zoo', 'echo built zoo', labels=['aardvark'])
local_resource('bad', 'seq 1 20; echo last words; exit 3', labels=['tools'])
local_resource('worse', 'seq 1 300; exit 4', labels=['tools'])
`;

let session, browser, page;

before(async () => {
  session = new Session({ Tiltfile: TILTFILE, "api.txt": "one\n", "serve.log": Array.from({ length: 300 }, (_, n) => `served ${n}\n`).join("") });
  [, browser] = await Promise.all([session.start(), launch()]);
  page = await open(browser, session.url);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: session.url });
});
after(async () => {
  await browser?.close();
  await session?.remove();
});
// What one test leaves open is not in the way of the next.
afterEach(() => page.evaluate(() => document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close())).catch(() => {}));

const row = (name) => page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });
const line = (text) => page.locator(".line", { hasText: text });
const toTable = () => page.goto(`${session.url}/overview`);
const toResource = (name, query = "") => page.goto(`${session.url}/r/${encodeURIComponent(name)}/overview${query}`);
const names = () => page.locator(".table-body .name").allTextContents();
const termBox = () => page.getByRole("searchbox", { name: /Filter lines/ });

test("columns sort up, down, and not at all", async () => {
  await row("worse").getByText("Update error").waitFor();
  await row("web").getByText("Runtime Ready").waitFor();
  const header = page.getByRole("columnheader", { name: "Resource Name" });
  const shop = async () => (await names()).filter((name) => ["web", "api"].includes(name));
  assert.deepEqual(await shop(), ["web", "api"]);
  for (const [order, wanted] of [["ascending", ["api", "web"]], ["descending", ["web", "api"]], [null, ["web", "api"]]]) {
    await header.getByRole("button").click();
    assert.equal(await header.getAttribute("aria-sort"), order);
    assert.deepEqual(await shop(), wanted);
  }
});

test("a look at a row's status tells why its last update began and where its time went", async () => {
  await row("web").locator(".status-link").hover();
  const told = row("web").locator('.status-line[title*="command echo built web"]');
  await told.waitFor();
  assert.match(await told.getAttribute("title"), /^first of this session\n/);
  await row("zoo").locator(".status-link").focus();
  await page.locator('.status-link[aria-description*="command echo built zoo"]').waitFor();
});

test("rows are picked by status and by name; the name stays for the visit, and in the other view", async () => {
  await page.getByRole("button", { name: "Only error" }).click();
  await page.getByText("2 results", { exact: true }).waitFor();
  assert.deepEqual((await names()).toSorted(), ["bad", "worse"]);
  await page.getByRole("button", { name: "Only error" }).click();
  const filter = page.getByRole("searchbox", { name: "Filter by resource name" });
  await filter.fill("zebra");
  await page.getByText("No matching resources").waitFor();
  await filter.fill("W");
  await page.getByText("2 results", { exact: true }).waitFor();
  await page.reload();
  assert.deepEqual(await until("the rows", async () => (await names()).length > 0 && names()), ["web", "worse"]);
  await page.getByRole("link", { name: "Detail", exact: true }).click();
  await page.locator(".sidebar").getByText("2 results").waitFor();
  assert.equal(await page.locator(".sidebar .entry").count(), 2);
  await page.getByRole("button", { name: "Clear the name filter" }).click();
  await page.locator(".sidebar .entry-name", { hasText: "zoo" }).waitFor();
});

test("groups close and stay closed; that of what is seen is open", async () => {
  await toTable();
  await page.getByRole("button", { name: "Collapse all groups" }).click();
  assert.deepEqual(await names(), []);
  await page.getByRole("button", { name: "aardvark", exact: true }).click();
  assert.deepEqual(await names(), ["zoo"]);
  await page.reload();
  await row("zoo").waitFor();
  assert.deepEqual(await names(), ["zoo"]);
  const heads = page.locator(".table-body .group-button");
  assert.deepEqual(await heads.allTextContents(), ["aardvark", "shop", "tools", "Tiltfile"]);
  await toResource("bad");
  await page.locator(".sidebar .entry-name", { hasText: "worse" }).waitFor();
  assert.equal(await page.locator(".sidebar .entry-name", { hasText: "api" }).count(), 0);
  await page.locator(".sidebar").getByRole("button", { name: "Expand all groups" }).click();
  await page.locator(".sidebar .entry-name", { hasText: "api" }).waitFor();
});

test("what is remembered has the names that Tilt's page uses", async () => {
  await toTable();
  await row("api").getByRole("button", { name: "Star api" }).click();
  const kept = await page.evaluate(() => ({ local: { ...localStorage }, session: { ...sessionStorage } }));
  const key = (name) => `tilt-{"tiltfileKey":"${session.dir}/Tiltfile","key":"${name}"}`;
  assert.deepEqual(JSON.parse(kept.local[key("pinned-resources")]), ["api"]);
  assert.ok(key("resource-groups") in kept.local, Object.keys(kept.local).join(" "));
  assert.equal(JSON.parse(kept.session[key("sidebar_options")]).resourceNameFilter, "");
  await page.getByRole("navigation", { name: "Starred resources" }).getByRole("button", { name: "Remove star from api" }).click();
  await page.getByRole("link", { name: "All Starred" }).waitFor({ state: "detached" });
});

test("all rows are selected at once, but what cannot be switched off", async () => {
  await page.getByRole("checkbox", { name: "Select all" }).check();
  await page.getByText("5 selected").waitFor();
  assert.ok(await page.getByRole("checkbox", { name: "Select (Tiltfile)" }).isDisabled());
  await page.getByRole("checkbox", { name: "Select web" }).uncheck();
  assert.ok(await page.getByRole("checkbox", { name: "Select all" }).evaluate((box) => box.indeterminate));
  await page.getByRole("button", { name: "Select none" }).click();
  const updates = async (name) => JSON.parse((await session.tilt("why", name, "-o", "json")).stdout).updates.length;
  const before = await Promise.all(["zoo", "api"].map(updates));
  for (const name of ["zoo", "api"]) await page.getByRole("checkbox", { name: `Select ${name}` }).check();
  await page.getByRole("button", { name: "Trigger", exact: true }).click();
  await page.getByText("selected").waitFor({ state: "detached" });
  await session.tilt("await", "zoo", "api");
  assert.deepEqual(await Promise.all(["zoo", "api"].map(updates)), before.map((n) => n + 1));
});

test("alerts come first in the list, where that is wanted", async () => {
  await toResource("(all)");
  const entries = () => page.locator(".sidebar .entry-name").allTextContents();
  await page.locator(".sidebar .entry-name", { hasText: "zoo" }).waitFor();
  session.write("api.txt", "two\n");
  session.write("Tiltfile", TILTFILE.replace("'echo built api'", "'exit 9'"));
  await page.locator(".sidebar .entry", { hasText: "api" }).getByText("Update error").waitFor();
  const shop = async () => (await entries()).filter((name) => ["web", "api"].includes(name));
  assert.deepEqual(await shop(), ["web", "api"]);
  await page.getByRole("checkbox", { name: "Alerts on top" }).check();
  assert.deepEqual(await shop(), ["api", "web"]);
  await page.getByRole("checkbox", { name: "Alerts on top" }).uncheck();
  session.write("Tiltfile", TILTFILE);
  await page.locator(".sidebar .entry", { hasText: "api" }).getByText(/Completed in/).waitFor();
});

test("the filter of a log is remembered for each resource", async () => {
  await page.locator(".sidebar .entry-link", { hasText: "bad" }).click();
  await termBox().fill("words");
  await page.waitForURL(/term=words/);
  await page.locator(".sidebar .entry-link", { hasText: "zoo" }).click();
  await line("built zoo").first().waitFor();
  assert.equal(await termBox().inputValue(), "");
  await page.locator(".sidebar .entry-link", { hasText: "bad" }).click();
  await page.waitForURL(/r\/bad\/overview\?term=words/);
  await page.locator("mark", { hasText: "words" }).first().waitFor();
});

test("a level shows its lines with some before them; what is left out is opened without the filter", async () => {
  await toResource("bad");
  await page.getByRole("radio", { name: /^Errors \(1\)$/ }).click();
  await page.waitForURL(/level=error/);
  await line("last words").first().waitFor();
  assert.equal(await line(/^\s*3$/).count(), 0);
  await page.getByRole("link", { name: /^Lines before line/ }).first().click();
  await page.waitForURL((url) => /line=\d+/.test(url.search) && !url.search.includes("level"));
  await line(/^\s*17$/).waitFor();
});

test("build and runtime are told apart; the beginning of an update is always shown", async () => {
  await toResource("bad");
  await line("last words").last().waitFor();
  const source = page.getByRole("combobox", { name: "Source of lines" });
  await source.selectOption("build");
  await page.waitForURL(/source=build/);
  await line("Build Failed").waitFor();
  assert.equal(await line(/^\s*last words/).count(), 0);
  // As in Tilt, what a command of a local resource says is none of a build's.
  await source.selectOption("runtime");
  await line(/^\s*last words/).waitFor();
  await line("Initial Build").waitFor();
  assert.equal(await line("Build Failed").count(), 0);
  await source.selectOption("");
});

test("the log follows its end, until one scrolls up, and again from the end on", async () => {
  await toResource("web");
  await line("served 299").waitFor();
  appendFileSync(join(session.dir, "serve.log"), "followed\n");
  await line("followed").waitFor();
  const end = page.getByRole("button", { name: /Jump to the end/ });
  assert.equal(await end.count(), 0);
  await page.locator(".lines").hover();
  await page.mouse.wheel(0, -1500);
  await end.waitFor();
  const top = () => page.locator(".lines").evaluate((lines) => lines.scrollTop);
  const before = await until("it stands", async () => {
    const first = await top();
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    return first === (await top()) && first;
  });
  appendFileSync(join(session.dir, "serve.log"), "not seen yet\n");
  await session.tilt("logs", "web").then(({ stdout }) => assert.ok(stdout.includes("not seen yet")));
  assert.equal(await top(), before);
  await page.keyboard.press("End");
  await line("not seen yet").waitFor();
  await end.waitFor({ state: "detached" });
  appendFileSync(join(session.dir, "serve.log"), "followed again\n");
  await line("followed again").waitFor();
});

test("beside an error in the overview stands what was said before it", async () => {
  await page.getByRole("button", { name: /^errors/ }).click();
  const lines = page.getByLabel("The last lines of bad");
  await lines.waitFor();
  assert.match(await lines.textContent(), /20\nlast words$/);
  await page.keyboard.press("Escape");
});

test("errors are gone through by key", async () => {
  await toResource("(all)");
  await line("followed again").last().waitFor();
  await page.keyboard.press("Home");
  await line("Successfully loaded").first().waitFor();
  const target = () => page.locator(".line.is-target.is-error");
  const seen = new Set();
  for (let n = 0; n < 2; n += 1) {
    await page.keyboard.press("n");
    await until("another error", async () => (await target().count()) === 1 && !seen.has(await target().getAttribute("data-position")));
    seen.add(await target().getAttribute("data-position"));
  }
  await page.keyboard.press("p");
  await until("the first again", async () => (await target().getAttribute("data-position")) === [...seen][0]);
});

test("lines are copied without colours, and with their resource where there are several", async () => {
  const copied = async () => {
    await page.getByRole("button", { name: "Copy the lines that are loaded" }).click();
    await page.getByText(/^Copied \d+ lines$/).waitFor();
    return page.evaluate(() => navigator.clipboard.readText());
  };
  await toResource("zoo");
  await line("built zoo").last().waitFor();
  assert.match(await copied(), /(^|\n)built zoo\n/);
  await toResource("(all)");
  await line("followed again").last().waitFor();
  assert.match(await copied(), /\nweb {9} ?┊ followed again\n/);
});

test("long lines are wrapped or not, and text has the size that was chosen", async () => {
  await toResource("web");
  const wrap = page.getByRole("button", { name: "Wrap long lines" });
  assert.equal(await wrap.getAttribute("aria-pressed"), "true");
  await wrap.click();
  const size = () => page.locator(".lines").evaluate((lines) => parseFloat(getComputedStyle(lines).fontSize));
  const before = await size();
  await page.getByRole("button", { name: "Larger text" }).click();
  await page.getByRole("button", { name: "Larger text" }).click();
  await page.reload();
  await line("followed again").waitFor();
  assert.equal(await wrap.getAttribute("aria-pressed"), "false");
  assert.equal(await page.locator(".lines").evaluate((lines) => getComputedStyle(lines.querySelector(".line")).whiteSpace), "pre");
  assert.ok((await size()) > before);
  await wrap.click();
});

test("r triggers, Ctrl+Backspace clears, Shift and a digit open an endpoint, ? opens and closes the keys", async () => {
  await toResource("zoo");
  await line("built zoo").first().waitFor();
  await page.keyboard.press("Control+Backspace");
  await page.getByText("Earlier lines were cleared.").waitFor();
  await page.keyboard.press("r");
  await line("built zoo").first().waitFor();
  await toResource("web");
  const opened = page.context().waitForEvent("page");
  await page.context().route("http://localhost:8080/**", (route) => route.fulfill({ body: "an endpoint" }));
  await line("followed again").waitFor();
  await page.keyboard.press("Shift+Digit1");
  const endpoint = await opened;
  await endpoint.waitForURL("http://localhost:8080/a");
  await endpoint.close();
  const link = page.getByRole("link", { name: "example.com/b" });
  assert.deepEqual([await link.getAttribute("href"), await link.getAttribute("target")], ["https://www.example.com/b/", "https://www.example.com/b/"]);
  await page.keyboard.press("Shift+?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Shift+?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor({ state: "detached" });
});

test("a button asks where it must be confirmed, says what it did, and is grey where it is off", async () => {
  await toResource("web");
  const actions = page.getByRole("toolbar", { name: "Actions" });
  assert.ok(await actions.getByRole("button", { name: "Out of order" }).isDisabled());
  const clicked = async (name) => JSON.parse((await session.tilt("get", "uibutton", name, "-o", "json")).stdout).status?.lastClickedAt;
  await actions.getByRole("button", { name: "Drop it" }).click();
  await actions.getByRole("button", { name: "Cancel Drop it" }).click();
  const before = await clicked("drop");
  await actions.getByRole("button", { name: "Drop it" }).click();
  await actions.getByRole("button", { name: "Confirm", exact: true }).click();
  await page.getByText("Triggered button: Drop it").waitFor();
  await page.locator(".toast", { hasText: "Drop it" }).getByRole("link", { name: "Resource Logs" }).waitFor();
  assert.notEqual(await clicked("drop"), before);
  await page.locator(".header").getByRole("button", { name: "Clean all" }).click();
  await page.locator(".toast", { hasText: "Clean all" }).getByRole("link", { name: "Global Logs" }).click();
  await page.waitForURL(/\(all\)/);
});

test("the icon of the window and the summary say what is wrong, and the browser tells it once that is wanted", async () => {
  const other = await open(browser, "about:blank");
  await other.context().grantPermissions(["notifications"], { origin: session.url });
  await other.addInitScript(() => {
    globalThis.told = [];
    globalThis.Notification = class {
      static permission = "granted";
      constructor(title, { body }) {
        globalThis.told.push(`${title}: ${body}`);
      }
      close() {}
    };
  });
  await other.goto(session.url);
  await other.waitForFunction(() => document.title === "✖︎ 2 ┊ Tilt");
  const icon = () => other.locator("#favicon").getAttribute("href");
  assert.ok((await icon()).includes(encodeURIComponent("#f6685c")));
  assert.deepEqual(await other.evaluate(() => globalThis.told), [], "nothing at first");
  session.write("Tiltfile", TILTFILE.replace("exit 3", "true").replace("exit 4", "true"));
  await other.waitForFunction(() => document.title === "✔︎ 6/6 ┊ Tilt");
  assert.ok((await icon()).includes(encodeURIComponent("#20ba31")));
  await other.waitForFunction(() => globalThis.told.at(-1) === "Tilt: Ready");
  session.write("Tiltfile", TILTFILE);
  await other.waitForFunction(() => globalThis.told.at(-1) === "Tilt: Unhealthy resources: 2");
  await other.context().close();
});

test("dark by system, still where motion is not wanted, and as wide as a screen is", async () => {
  await toTable();
  await row("web").waitFor();
  const of = (property) => page.evaluate((property) => getComputedStyle(document.body)[property], property);
  const light = await of("backgroundColor");
  await page.emulateMedia({ colorScheme: "dark" });
  assert.notEqual(await of("backgroundColor"), light);
  await page.evaluate(() => document.querySelector(".row .icon").classList.add("spins"));
  const moves = () => page.locator(".spins").first().evaluate((icon) => getComputedStyle(icon).animationName);
  assert.equal(await moves(), "none");
  await page.emulateMedia({ reducedMotion: "no-preference" });
  assert.equal(await moves(), "spin");
  await page.emulateMedia({ reducedMotion: "reduce", colorScheme: null });
  for (const size of [{ width: 3840, height: 2160 }, { width: 2560, height: 1440 }, { width: 820, height: 1180 }]) {
    await page.setViewportSize(size);
    await row("web").waitFor();
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, JSON.stringify(size));
    await picture(page, `wide-${size.width}`);
  }
  assert.equal(await of("fontSize"), "13px");
  // Also where all are seen, a narrow log has the times of its lines, and links to them.
  await page.setViewportSize({ width: 360, height: 740 });
  await toResource("(all)");
  await page.getByRole("button", { name: /Timestamps: off/ }).click();
  const last = page.locator(".line").last();
  await last.locator(".line-link", { hasText: /^\d\d:\d\d:\d\d/ }).waitFor();
  assert.ok((await page.locator(".lines").evaluate((lines) => lines.scrollWidth - lines.clientWidth)) <= 0);
  await picture(page, "all-360");
  await page.getByRole("button", { name: /Timestamps: time of day/ }).click();
  await page.getByRole("button", { name: /Timestamps: how long ago/ }).click();
  await page.setViewportSize({ width: 1280, height: 760 });
});

test("nothing is asked of others than the session, and nothing went wrong meanwhile", async () => {
  const hosts = new Set();
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await toTable();
  await row("web").waitFor();
  await toResource("web");
  await line("followed again").waitFor();
  assert.deepEqual([...hosts], [`localhost:${session.port}`]);
  assert.deepEqual(page.wrongs, []);
});
