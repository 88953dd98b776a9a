// What a page that was written for Tilt relies on: the view, its changes, what may be asked for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { browser as launch, open, Session, until } from "./session.mjs";

const TILTFILE = `
local_resource('api', 'echo "half a line, "; echo done', serve_cmd='echo listening; exec sleep 1000', labels=['back'], links=['http://localhost:8080'])
local_resource('web', 'cat app.txt', deps=['app.txt'], resource_deps=['api'])
local_resource('manual', 'echo by hand', auto_init=False, trigger_mode=TRIGGER_MODE_MANUAL)
`;
const GONE = "local_resource('short-lived', 'echo bye')\n";

let session, browser, page;

before(async () => {
  session = new Session({ Tiltfile: TILTFILE + GONE, "app.txt": "one\n" });
  [, browser] = await Promise.all([session.start(), launch()]);
  page = await open(browser, session.url);
  await page.locator(".row", { hasText: "web" }).getByText(/Updated in/).waitFor();
  await page.evaluate(async () => {
    const token = await (await fetch("/api/websocket_token")).text();
    globalThis.frames = [];
    const socket = new WebSocket(`ws://${location.host}/ws/view?csrf=${encodeURIComponent(token)}`);
    socket.onmessage = ({ data }) => globalThis.frames.push({ at: performance.now(), frame: JSON.parse(data) });
    // What a page says is passed over.
    socket.onopen = () => socket.send("hello");
  });
});
after(async () => {
  await browser?.close();
  await session?.remove();
});

const view = () => page.evaluate(async () => (await fetch("/api/view")).json());
const frames = () => page.evaluate(() => globalThis.frames);
const ask = (path, body, method = "POST") =>
  page.evaluate(
    async ([path, body, method]) => {
      const response = await fetch(path, { method, body: typeof body === "string" ? body : JSON.stringify(body) });
      return [response.status, await response.text()];
    },
    [path, body, method],
  );
const named = (list, name) => list?.find((object) => object.metadata.name === name);
const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

test("the view holds all that the page of Tilt asks it for", async () => {
  const { uiSession, uiResources, uiButtons, logList, tiltStartTime, isComplete } = await view();
  assert.equal(isComplete, true);
  assert.match(tiltStartTime, microTime);
  assert.equal(uiSession.metadata.name, "Tiltfile");
  const flags = Object.fromEntries(uiSession.status.featureFlags.map(({ name, value }) => [name, value ?? false]));
  assert.deepEqual([flags.snapshots, flags.labels, flags.disable_resources, flags.cluster_refresh], [true, true, true, false]);
  assert.equal(uiSession.status.tiltfileKey, `${session.dir}/Tiltfile`);
  assert.deepEqual(uiResources.map(({ metadata }) => metadata.name), ["(Tiltfile)", "api", "web", "manual", "short-lived"]);
  assert.deepEqual(uiResources.map(({ status }) => status.order), [1, 2, 3, 4, 5]);
  for (const { metadata, status } of uiResources) {
    assert.equal(status.disableStatus.state, "Enabled", metadata.name);
    assert.deepEqual(status.conditions.map(({ type }) => type), ["UpToDate", "Ready"]);
    for (const { lastTransitionTime } of status.conditions) assert.match(lastTransitionTime, microTime);
    assert.ok(named(uiButtons, `${metadata.name}-stopbuild`), metadata.name);
  }
  const api = named(uiResources, "api");
  assert.deepEqual([api.metadata.labels, api.status.endpointLinks], [{ back: "back" }, [{ url: "http://localhost:8080" }]]);
  assert.equal(typeof api.status.localResourceInfo.pid, "number");
  assert.deepEqual(named(uiResources, "web").status.localResourceInfo, {});
  assert.deepEqual(named(uiResources, "manual").status.triggerMode, 2);
  for (const segment of logList.segments) {
    assert.match(segment.time, microTime);
    assert.ok((segment.spanId ?? "") in logList.spans, segment.text);
  }
  const begins = logList.segments.filter(({ fields }) => fields?.buildEvent === "init").map(({ spanId }) => logList.spans[spanId].manifestName);
  assert.deepEqual(begins.toSorted(), ["(Tiltfile)", "api", "short-lived", "web"]);
});

test("changes add up to the view, and their logs follow one another", async () => {
  assert.deepEqual(await ask("/api/trigger", { manifest_names: ["manual"], build_reason: 16 }), [200, ""]);
  session.write("app.txt", "two\n");
  session.write("Tiltfile", TILTFILE);
  await until("what went away", async () => !named((await view()).uiResources, "short-lived"));
  await until("the last change", async () => named((await view()).uiResources, "web").status.buildHistory?.length === 2 && named((await view()).uiResources, "manual").status.updateStatus === "ok");
  const now = await view();
  const all = await until("the last frame", async () => {
    const all = await frames();
    const to = Math.max(...all.map(({ frame }) => frame.logList?.toCheckpoint ?? 0));
    // A line may come a frame before the change of the resource that it tells of.
    const last = (name) => all.flatMap(({ frame }) => frame.uiResources ?? []).findLast(({ metadata }) => metadata.name === name);
    const isSame = now.uiResources.every((resource) => isDeepStrictEqual(last(resource.metadata.name), resource));
    return to >= now.logList.toCheckpoint && isSame && all;
  });
  assert.equal(all[0].frame.isComplete, true);
  const merged = new Map(all[0].frame.uiResources.map((resource) => [resource.metadata.name, resource]));
  let to = all[0].frame.logList.toCheckpoint;
  for (const [at, { frame }] of all.entries()) {
    if (at === 0) continue;
    assert.ok(!("isComplete" in frame));
    assert.equal(frame.tiltStartTime, now.tiltStartTime);
    const names = (frame.uiResources ?? []).map(({ metadata }) => metadata.name);
    assert.deepEqual(names, names.toSorted());
    for (const resource of frame.uiResources ?? []) {
      if (resource.metadata.deletionTimestamp) merged.delete(resource.metadata.name);
      else merged.set(resource.metadata.name, resource);
    }
    if (!frame.logList) continue;
    assert.equal(frame.logList.fromCheckpoint, to);
    to = frame.logList.toCheckpoint;
    const used = new Set(frame.logList.segments.map(({ spanId }) => spanId ?? ""));
    assert.deepEqual(Object.keys(frame.logList.spans).toSorted(), [...used].toSorted());
  }
  // They are gathered for 200 ms; a busy machine may deliver two close together.
  assert.ok(all.length - 2 <= (all.at(-1).at - all[1].at) / 150, "no more than five frames a second");
  assert.deepEqual([...merged.keys()].toSorted(), now.uiResources.map(({ metadata }) => metadata.name).toSorted());
  for (const resource of now.uiResources) assert.deepEqual(merged.get(resource.metadata.name).status.buildHistory, resource.status.buildHistory);
});

test("a click on a button as the page of Tilt sends it does what it says", async () => {
  const path = (name) => `/proxy/apis/tilt.dev/v1alpha1/uibuttons/${name}/status`;
  const button = named((await view()).uiButtons, "toggle-manual-disable");
  const status = { lastClickedAt: "2026-01-02T03:04:05.678000+00:00", inputs: [{ name: "action", hidden: { value: "on" } }] };
  const click = { metadata: { resourceVersion: button.metadata.resourceVersion, name: button.metadata.name }, status };
  const [code, text] = await ask(path(button.metadata.name), click, "PUT");
  assert.equal(code, 200, text);
  assert.equal(JSON.parse(text).status.lastClickedAt, "2026-01-02T03:04:05.678000Z");
  await until("it is off", async () => named((await view()).uiResources, "manual").status.disableStatus.state === "Disabled");
  assert.deepEqual(await ask("/api/trigger", { manifest_names: ["manual"], build_reason: 16 }), [200, 'resource "manual" is currently disabled']);
});

test("what is asked wrongly is refused in the words that Tilt has", async () => {
  assert.deepEqual(await ask("/api/trigger", { manifest_names: ["nobody"] }), [404, 'resource "nobody" does not exist']);
  assert.equal((await ask("/api/trigger", { manifest_names: [] }))[0], 400);
  assert.match((await ask("/api/trigger", "{"))[1], /^error parsing JSON payload: /);
  assert.deepEqual(await ask("/api/override/trigger_mode", { manifest_names: ["api"], trigger_mode: 9 }), [400, "invalid trigger mode: 9"]);
  assert.deepEqual(await ask("/api/override/trigger_mode", { manifest_names: ["nobody"], trigger_mode: 0 }), [400, "no manifest found with name 'nobody'"]);
  assert.equal((await ask("/proxy/apis/tilt.dev/v1alpha1/cmds", {}))[0], 403);
  const without = await fetch(`${session.url}/api/view`);
  assert.equal(without.status, 403);
});
