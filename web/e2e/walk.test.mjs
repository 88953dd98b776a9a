// A walk through the page by the Tab key alone: everything that can be used is come by, in the order in which it stands, and it is
// seen where one is.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser as launch, open, Session } from "./session.mjs";

/** More rows than the page draws at once. */
const MANY = 36;
const TILTFILE = `
update_settings(max_parallel_updates=20)
v1alpha1.ui_button(name='all', text='Clean all', location=v1alpha1.ui_component_location(component_id='nav', component_type='Global'))
v1alpha1.ui_button(name='seed', text='Seed', location=v1alpha1.ui_component_location(component_id='api', component_type='Resource'))
local_resource('api', 'cat api.log', labels=['back'], links=[link('http://localhost:8080/api', 'api docs')])
local_resource('bad', 'exit 1', labels=['tools'])
local_resource('off', 'true', auto_init=False, labels=['tools'])
${Array.from({ length: MANY }, (_, n) => `local_resource('many-${n}', 'true', auto_init=False, labels=['z'])`).join("\n")}
`;

let session, browser, page;

before(async () => {
  const log = Array.from({ length: 400 }, (_, n) => (n === 200 ? '{"level":"info","msg":"served","path":"/"}' : `line ${n}`)).join("\n");
  session = new Session({ Tiltfile: TILTFILE, "api.log": `${log}\nsee https://example.com/ for more\n` });
  [, browser] = await Promise.all([session.start(), launch()]);
  page = await open(browser, session.url);
});
after(async () => {
  await browser?.close();
  await session?.remove();
});

/** Notes in the page what gets the focus, and whether it is seen there. */
const note = () =>
  page.evaluate(() => {
    const usable = "a[href], button, input, select, textarea, [tabindex='0']";
    const text = (element) => [...element.querySelectorAll("[role=img]")].map((image) => image.ariaLabel).join(" ") + element.textContent.trim();
    const nameOf = (element) => `${element.localName} ${element.ariaLabel ?? (text(element.labels?.[0] ?? element) || element.placeholder)}`.slice(0, 80);
    const isShown = (element) => {
      const box = element.getBoundingClientRect();
      const at = document.elementFromPoint(box.left + Math.min(box.width / 2, 20), box.top + box.height / 2);
      return box.width > 0 && box.height > 0 && !!at && (element.contains(at) || at.contains(element));
    };
    const isMarked = (element) => {
      const { outlineStyle, outlineWidth, opacity } = getComputedStyle(element);
      return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && Number(opacity) > 0;
    };
    globalThis.walked = { stops: [], faults: [], met: new WeakSet() };
    document.addEventListener("focusin", ({ target }) => {
      const { stops, faults, met } = globalThis.walked;
      stops.push(nameOf(target));
      met.add(target);
      if (!isShown(target)) faults.push(`not seen: ${nameOf(target)}`);
      if (!isMarked(target)) faults.push(`not marked: ${nameOf(target)}`);
    });
    /** What stands on the page now, could be used, and was not come by; a row can be focused while something in it is. */
    globalThis.missed = () =>
      [...document.querySelectorAll(usable)]
        .filter((element) => !element.disabled && element.tabIndex >= 0 && element.checkVisibility({ visibilityProperty: true }) && !globalThis.walked.met.has(element) && !element.contains(document.activeElement))
        .map(nameOf);
  });

/** Goes on until a stop with this name, at most so many; returns all stops. */
async function walkTo(last, most) {
  for (let n = 0; n < most; n += 1) {
    await page.keyboard.press("Tab");
    // What has the focus is drawn before the next key: nobody is quicker.
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const is = await page.evaluate((last) => globalThis.walked.stops.at(-1)?.includes(last), last);
    if (is) return page.evaluate(() => globalThis.walked.stops);
  }
  throw new Error(`${last} was not come by:\n${(await page.evaluate(() => globalThis.walked.stops)).join("\n")}`);
}

/** Expects stops with these names in them, one after the other. */
function inOrder(stops, names) {
  let from = 0;
  for (const name of names) {
    const at = stops.findIndex((stop, at) => at >= from && stop.includes(name));
    assert.ok(at >= 0, `${name} does not come after ${stops[from - 1]}:\n${stops.join("\n")}`);
    from = at + 1;
  }
}

test("all of the table is come by, to the last row of many", async () => {
  await page.getByRole("button", { name: "Star api" }).click();
  await page.reload();
  await page.getByRole("link", { name: "many-3", exact: true }).waitFor();
  await note();
  const stops = await walkTo(`many-${MANY - 1}: automatic updates`, 12 * MANY);
  // What is left is the Tiltfile.
  await walkTo("a (Tiltfile)", 12);
  await walkTo("Updated in", 1);
  inOrder(stops, [
    "Tilt: all resources", "Table", "Detail", "errors", "Clean all", "Theme", "All Starred", "Filter by resource name", "Only healthy", "Show disabled", "Expand all groups",
    "Resource Name", "back", "Select api", "Trigger update of api", "Seed", "api docs", "api: automatic updates", "tools", "Select bad", "z", "Select many-0", `Select many-${MANY - 1}`,
  ]);
  for (let n = 0; n < MANY; n += 1) assert.ok(stops.includes(`input Select many-${n}`), `many-${n}`);
  const { faults, missed } = await page.evaluate(() => ({ faults: globalThis.walked.faults, missed: globalThis.missed() }));
  assert.deepEqual([faults, missed], [[], []]);
});

test("all around a log is come by", async () => {
  await page.goto(`${session.url}/r/api/overview`);
  await page.locator(".line", { hasText: "for more" }).waitFor();
  await page.getByRole("button", { name: "Details" }).click();
  await page.getByRole("region", { name: "About api" }).getByRole("heading", { name: "Updates" }).waitFor();
  await page.keyboard.press("Home");
  await page.locator(".line", { hasText: "line 0" }).first().waitFor();
  await note();
  await page.getByRole("link", { name: "Tilt: all resources" }).focus();
  const stops = await walkTo("Link to line", 30 * MANY);
  inOrder(stops, [
    "Tilt: all resources", "Theme", "Filter by resource name", "Alerts on top", "All Resources", "Remove star from api", "Trigger update of api", "many-0", `many-${MANY - 1}`, "automatic updates", "api docs", "Seed", "Disable Resource",
    "Details", "All Levels", "Errors (", "Warnings (", "Source of lines", "Filter lines", "Previous error", "Next error", "Timestamps", "Go to a time", "Wrap", "Fold JSON", "Smaller", "Larger", "Copy the lines", "Download", "Clear", "Jump to the end", "Log lines of api", "Link to line",
  ]);
  const { faults, missed } = await page.evaluate(() => ({ faults: globalThis.walked.faults, missed: globalThis.missed() }));
  assert.deepEqual([faults, missed.filter((name) => !/^a (Link to line|https)/.test(name))], [[], []]);
});

test("nothing went wrong in the page meanwhile", () => assert.deepEqual(page.wrongs, []));
