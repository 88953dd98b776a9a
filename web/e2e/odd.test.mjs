// What is odd: names and lines that nobody would write, a log whose beginning is gone, a session that is gone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser as launch, open, Session } from "./session.mjs";

const LONG = "n".repeat(10_000);
const MARKUP = "a<img src=x onerror=\"document.title='owned'\">'b";
const CONTROL = "bell\x07back\x08space\u202egnp.exe";

/** A string as a Tiltfile has it. */
const quoted = (text) => `"${text.replace(/["\\]/g, "\\$&").replace(/[\x00-\x1f]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}`)}"`;

const files = {
  Tiltfile: `
local_resource(${quoted(LONG)}, 'echo from the long one')
local_resource(${quoted(MARKUP)}, 'cat odd.log')
local_resource(${quoted(CONTROL)}, 'cat odd.log')
local_resource('many', 'cat long.txt long.txt long.txt long.txt; echo the last line', auto_init=False)
`,
  "odd.log": [
    "<script>document.title='owned'</script><b>not bold</b>",
    "\x1b]8;;javascript:document.title='owned'\x07not a link\x1b]8;;\x07",
    "javascript:alert(1) data:text/html,x https://example.com/?a=<b>",
    "bell\x07 null\x00 back\x08\x08 clear\x1b[2J\x1b[H up\x1b[A end",
    "right to left \u202e gnp.exe",
    `{"level":"error","msg":"<i>json</i>","nested":{"__proto__":{"owned":true},"a":"</script>"}}`,
    `{"msg": ${"[".repeat(5000)}`,
    "x".repeat(100_000),
    "the end of what is odd",
    "",
  ].join("\n"),
  // Four times as much is more than is kept where there is no disk.
  "long.txt": `${"y".repeat(999)}\n`.repeat(10_000),
};

let session, browser, page;

before(async () => {
  session = new Session(files);
  // A log that cannot be written is kept in memory, as far as that goes.
  session.env.XDG_STATE_HOME = "/dev/null/state";
  [, browser] = await Promise.all([session.start(), launch()]);
  page = await open(browser, session.url);
});
after(async () => {
  await browser?.close();
  await session?.remove();
});

const link = (name) => page.getByRole("link", { name, exact: true });
const line = (text) => page.locator(".line", { hasText: text });
const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

test("a name of ten thousand characters is cut, and opens", async () => {
  const long = page.locator(".row .name", { hasText: "nnn" });
  await long.waitFor();
  assert.ok((await overflow()) <= 0);
  await long.click();
  await line("from the long one").last().waitFor();
  assert.ok((await overflow()) <= 0);
});

test("markup and control characters are text, in names and lines", async () => {
  for (const name of [MARKUP, CONTROL]) {
    await page.goto(`${session.url}/r/${encodeURIComponent(name)}/overview`);
    await line("the end of what is odd").waitFor();
    await line("<b>not bold</b>").waitFor();
    await line("<i>json</i>").waitFor();
    await line("not a link").waitFor();
    assert.equal(await page.locator(".lines a[href^='javascript'], .lines a[href^='data'], .lines b, .lines i, .lines img").count(), 0);
    await line("xxx").getByRole("button", { name: /… all 100,000 characters/ }).click();
  }
  await page.goto(session.url);
  await page.locator(".row .name", { hasText: MARKUP }).waitFor();
  assert.ok(!(await page.title()).includes("owned"));
});

test("a log whose beginning is gone says how much of it", async () => {
  await page.goto(`${session.url}/r/many/overview`);
  await page.getByRole("button", { name: "Trigger update of many to sync changes" }).last().click();
  await page.locator(".facts-line").getByText(/Updated in/).waitFor();
  await line("the last line").last().waitFor();
  await page.keyboard.press("Home");
  await page.getByText(/^The first [\d,]+ lines of the session are no longer kept\.$/).waitFor();
  await page.goto(`${session.url}/r/many/overview?line=3`);
  await page.getByText(/^The first [\d,]+ lines of the session are no longer kept\.$/).waitFor();
});

test("what is asked of a session that is gone says so", async () => {
  await page.goto(session.url);
  await link("many").waitFor();
  await session.stop("SIGKILL");
  await page.getByText("Connection failed: reconnecting…").waitFor();
  await page.getByRole("button", { name: "Trigger update of many" }).click();
  await page.getByRole("dialog", { name: "That did not work" }).getByText("The session does not answer.").waitFor();
  await page.keyboard.press("Escape");
  await link("many").click();
  await page.getByRole("alert").getByText("The session does not answer.").waitFor();
});

test("nothing went wrong in the page meanwhile", () => assert.deepEqual(page.wrongs, []));
