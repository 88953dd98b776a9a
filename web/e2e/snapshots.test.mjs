// Snapshots are exchanged with Tilt: its own opens here, and ours has the form of its own. And what no small session shows, from a file.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser as launch, freePort, open, Session } from "./session.mjs";

const from = (name) => readFileSync(new URL(`tilt-0.37.6/${name}`, import.meta.url), "utf8");
const TILTFILE = from("Tiltfile");
const theirs = JSON.parse(from("snapshot.json"));

let session, browser;
const viewers = [];

before(async () => {
  session = new Session({ Tiltfile: TILTFILE });
  [, browser] = await Promise.all([session.start(), launch()]);
});
after(async () => {
  await browser?.close();
  for (const viewer of viewers) viewer.kill("SIGINT");
  await session?.remove();
});

/** Opens a snapshot in the page, as `tilt snapshot view` serves it. */
async function view(snapshot) {
  const port = await freePort();
  session.write("snapshot.json", JSON.stringify(snapshot));
  const viewer = spawn(process.env.TILT_BIN ?? "tilt", ["snapshot", "view", "--no-open", `--port=${port}`, join(session.dir, "snapshot.json")], { env: session.env, stdio: ["ignore", "pipe", "inherit"] });
  viewers.push(viewer);
  await new Promise((done) => viewer.stdout.once("data", done));
  return open(browser, `http://localhost:${port}/snapshot/local`);
}

test("a snapshot of Tilt's opens here, with its states, buttons left out, and its log", async () => {
  const page = await view(theirs);
  await page.getByText(/^Snapshot \(created at/).waitFor();
  const row = (name) => page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });
  await row("api").getByText("Runtime Ready").waitFor();
  await row("frontend").getByText("Update error").waitFor();
  await row("waits").getByText("waits for frontend").waitFor();
  await row("api").getByRole("link", { name: "api docs" }).waitFor();
  assert.equal(await page.title(), "Snapshot: ✖︎ 1 ┊ Tilt");
  assert.equal(await page.getByRole("button", { name: /Trigger|Seed|Snapshot|Help/ }).count(), 0);
  assert.equal(await row("off").count(), 0);
  await page.getByRole("checkbox", { name: "Show disabled resources" }).check();
  await row("off").getByText("Disabled").first().waitFor();
  // Of what its page counts nothing is lost: a warning of the Tiltfile, an error of a build.
  await page.getByRole("link", { name: /^warnings/ }).click();
  await page.locator(".line.is-warn", { hasText: "a warning of the Tiltfile" }).waitFor();
  await page.goto(page.url().replace(/\/r\/.*/, "/r/frontend/overview"));
  await page.locator(".line", { hasText: "no luck here" }).last().waitFor();
  await page.getByRole("radio", { name: "Errors (1)" }).click();
  await page.locator(".line.is-error", { hasText: "Build Failed" }).waitFor();
  await page.goto(page.url().replace(/\/r\/.*/, "/r/api/overview"));
  assert.equal(await page.locator(".line span.fg-2").first().textContent(), "GET");
  assert.deepEqual(page.wrongs, []);
  await page.context().close();
});

/** Returns the path of each value, with its type; which spans there are is not looked at. */
function shape(value, path = "") {
  if (Array.isArray(value)) return [`${path} array`, ...value.flatMap((each) => shape(each, `${path}[]`))];
  if (value === null || typeof value !== "object") return [`${path} ${value === null ? "null" : typeof value}`];
  const of = (key) => (path.endsWith(".spans") ? "*" : key);
  return [`${path} object`, ...Object.entries(value).flatMap(([key, each]) => shape(each, `${path}.${of(key)}`))];
}

test("a snapshot of ours holds what Tilt's holds of the same session, in its form", async () => {
  await session.tilt("wait", "--for=jsonpath={.status.updateStatus}=error", "uiresource/frontend");
  await session.tilt("wait", "--for=condition=Ready", "uiresource/api", "uiresource/db");
  const { stdout } = await session.tilt("snapshot", "create");
  const ours = JSON.parse(stdout);
  const known = new Set(shape(theirs));
  // Zero goes without saying there.
  const strange = [...new Set(shape(ours))].filter((each) => !known.has(each) && each !== ".view.logList.fromCheckpoint number");
  assert.deepEqual(strange, []);
  const told = ({ view }) => view.uiResources.map(({ metadata, status }) => [metadata.name, metadata.labels, status.updateStatus, status.runtimeStatus, status.waiting, status.disableStatus.state, status.endpointLinks, status.triggerMode]);
  assert.deepEqual(told(ours), told(theirs));
  const buttons = ({ view }) => view.uiButtons.map(({ metadata, spec }) => [metadata.name, spec.text, spec.location]).toSorted();
  assert.deepEqual(buttons(ours), buttons(theirs));
  const said = ({ view }, name) => view.logList.segments.filter(({ spanId }) => view.logList.spans[spanId ?? ""]?.manifestName === name).map(({ spanId, level, anchor, text, fields }) => [spanId, level, anchor, text.trimEnd(), fields]);
  for (const name of ["frontend", "db"]) assert.deepEqual(said(ours, name), said(theirs, name));
});

test("a fatal error, pods that restart, what waits for images, and the oldest snapshots are shown", async () => {
  const snapshot = structuredClone(theirs);
  snapshot.view.uiSession.status.fatalError = "the disk is on fire";
  const resource = (name) => snapshot.view.uiResources.find(({ metadata }) => metadata.name === name).status;
  resource("api").k8sResourceInfo = { podName: "api-7d9c-x2x", podRestarts: 4, podStatus: "Running", spanID: "pod:api:api-7d9c-x2x", podUpdateStartTime: null };
  const image = (name) => ({ group: "tilt.dev", apiVersion: "v1alpha1", kind: "ImageMap", name });
  resource("waits").waiting = { reason: "building-component", on: ["a", "b", "c", "d", "e"].map(image) };
  snapshot.path = "/r/api/overview?term=GET";
  const page = await view(snapshot);
  await page.getByRole("heading", { name: "api" }).waitFor();
  await page.locator("mark", { hasText: "GET" }).first().waitFor();
  await page.getByRole("alert").getByText("the disk is on fire").waitFor();
  await page.getByRole("link", { name: "Table", exact: true }).click();
  await page.getByText("api-7d9c-x2x").waitFor();
  await page.locator(".of-pod").getByTitle("4 restarts").waitFor();
  await page.setViewportSize({ width: 360, height: 740 });
  await page.locator(".of-status").getByTitle("4 restarts").waitFor();
  await page.getByText("waits for a, b, c, and 2 more").waitFor();
  assert.deepEqual(page.wrongs, []);
  await page.context().close();
  const old = await view({ view: { uiResources: [], featureFlags: { a: true }, log: "of old", runningTiltBuild: {} } });
  await old.getByText(/^Snapshot \(session started at/).waitFor();
  await old.getByText("No matching resources").waitFor();
  assert.deepEqual(old.wrongs, []);
  await old.context().close();
});
