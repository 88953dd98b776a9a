import { expect, test } from "vitest";
import { RowMaker, triggerState } from "../src/core/resources";
import { applyFrame, isOtherSession, nameOf } from "../src/core/view";
import { button, model, resource, rows, whole } from "./make";

const frame = (part: object) => ({ tiltStartTime: "2026-01-02T03:04:00.000000Z", ...part });

test("a delta replaces what it names and keeps the other objects the same", () => {
  const before = model({ uiResources: [resource("a", { order: 1 }), resource("b", { order: 2 })] });
  const after = applyFrame(before, frame({ uiResources: [resource("b", { order: 2, updateStatus: "error" })] }));
  expect(after.resources.map(nameOf)).toEqual(["a", "b"]);
  expect(after.resources[0]).toBe(before.resources[0]);
  expect(after.resources[1]?.status?.updateStatus).toBe("error");
});

test("what was deleted is gone, what is new stands in its place of the order", () => {
  const before = model({ uiResources: [resource("a", { order: 1 }), resource("c", { order: 3 })] });
  const gone = { metadata: { name: "a", deletionTimestamp: "2026-01-02T03:04:05Z" } };
  const after = applyFrame(before, frame({ uiResources: [gone, resource("b", { order: 2 })] }));
  expect(after.resources.map(nameOf)).toEqual(["b", "c"]);
});

test("a whole view forgets what it does not name", () => {
  const before = model({ uiResources: [resource("a")], uiButtons: [button("x", "a")] });
  const after = applyFrame(before, whole({ uiResources: [resource("b")] }));
  expect([after.resources.map(nameOf), after.buttons.size]).toEqual([["b"], 0]);
});

test("another start time is another session", () => {
  const before = model({});
  expect(isOtherSession(before, { tiltStartTime: "2026-01-02T05:00:00.000000Z" })).toBe(true);
  expect(isOtherSession(before, whole({}))).toBe(false);
});

test("a row is made anew only when something of it changed", () => {
  const maker = new RowMaker();
  const before = model({ uiResources: [resource("a", { order: 1 }), resource("b", { order: 2 })], uiButtons: [button("x", "a")] });
  const [a, b] = maker.of(before);
  const [a2, b2] = maker.of(applyFrame(before, frame({ uiButtons: [button("x", "a", { disabled: true })] })));
  expect(a2).not.toBe(a);
  expect(b2).toBe(b);
  expect(maker.of(applyFrame(before, frame({})))).toHaveLength(2);
});

test("the buttons that every resource has are told from those of the Tiltfile", () => {
  const buttons = [button("off", "a", {}, "DisableToggle"), button("stop", "a", {}, "StopBuild"), button("seed", "a"), button("b", "b")];
  const [row] = new RowMaker().of(model({ uiResources: [resource("a")], uiButtons: buttons }));
  expect([nameOf(row!.toggle!), nameOf(row!.stop!), row!.widgets.map(nameOf)]).toEqual(["off", "stop", ["seed"]]);
});

test("warnings count that the last update and the pod of now said, not those before them", () => {
  const of = resource("a", { buildHistory: [{ spanID: "build:2" }], k8sResourceInfo: { spanID: "pod:a:new" } });
  const fault = (spanId: string, errors: number, warnings: number) => ({ spanId, manifestName: "a", errors, warnings });
  const logFaults = [fault("build:1", 5, 5), fault("build:2", 0, 1), fault("pod:a:old", 7, 7), fault("pod:a:new", 2, 0), fault("dc:a", 0, 1)];
  const [row] = new RowMaker().of(model({ uiResources: [of], logFaults }));
  expect(row!.alerts).toEqual({ build: { errors: 0, warnings: 1 }, runtime: { errors: 2, warnings: 1 } });
  expect([row!.build, row!.runtime]).toEqual(["warning", "warning"]);
});

test("it is said what an update waits for", () => {
  const on = (...names: string[]) => ({ waiting: { reason: "waiting-for-dep", on: names.map((name) => ({ name })) } });
  const waits = (status: object) => rows(resource("a", status))[0]!.waits;
  expect(waits(on("db"))).toBe("db");
  expect(waits(on("a", "b", "c", "d", "e"))).toBe("a, b, c, and 2 more");
  expect(waits({ waiting: { reason: "waiting-for-cluster" } })).toBe("the cluster");
  expect(waits({ waiting: { reason: "is-unparallelizable-local" } })).toBe("other local work");
  expect(waits({})).toBe("");
});

test.each([
  ["building", { updateStatus: "in_progress", queued: true }],
  ["queued", { queued: true }],
  ["starting", { updateStatus: "pending", runtimeStatus: "none" }],
  ["due", { triggerMode: 1, hasPendingChanges: true }],
  ["due", { triggerMode: 2, updateStatus: "none", runtimeStatus: "none" }],
  ["idle", { triggerMode: 2, lastDeployTime: "2026-01-02T03:04:05Z" }],
  ["idle", { hasPendingChanges: true, lastDeployTime: "2026-01-02T03:04:05Z" }],
])("the trigger is %s for %j", (state, status) => {
  expect(triggerState(rows(resource("a", status))[0]!)).toBe(state);
});
