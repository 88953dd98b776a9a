import { expect, test } from "vitest";
import { buildStatus, combined, noAlerts, runtimeStatus, summarize, title, type Status } from "../src/core/status";
import { resource } from "./make";

const warnings = { build: { errors: 0, warnings: 1 }, runtime: { errors: 0, warnings: 2 } };

test.each([
  [{ updateStatus: "in_progress" }, "building", "healthy"],
  [{ updateStatus: "pending", runtimeStatus: "pending" }, "pending", "pending"],
  [{ updateStatus: "error", runtimeStatus: "error" }, "unhealthy", "unhealthy"],
  [{ composeResourceInfo: { healthStatus: "unhealthy" } }, "healthy", "unhealthy"],
  [{ updateStatus: "none", runtimeStatus: "none" }, "none", "none"],
  [{ updateStatus: "not_applicable", runtimeStatus: "unknown" }, "none", "none"],
  [{ disableStatus: { enabledCount: 0, disabledCount: 1, state: "Disabled", sources: [] } }, "disabled", "disabled"],
])("of %j the update is %s, what runs is %s", (status, build, runtime) => {
  const of = resource("a", status);
  expect([buildStatus(of, noAlerts), runtimeStatus(of, noAlerts)]).toEqual([build, runtime]);
});

test("a warning shows where all else is well", () => {
  expect([buildStatus(resource("a"), warnings), runtimeStatus(resource("a"), warnings)]).toEqual(["warning", "warning"]);
  expect(buildStatus(resource("a", { updateStatus: "error" }), warnings)).toBe("unhealthy");
});

test("the update comes first where it is not well, else what runs", () => {
  const all: [Status, Status, Status][] = [
    ["building", "unhealthy", "building"],
    ["healthy", "unhealthy", "unhealthy"],
    ["healthy", "none", "healthy"],
    ["none", "pending", "pending"],
    ["none", "none", "none"],
  ];
  for (const [build, runtime, both] of all) expect(combined(build, runtime)).toBe(both);
});

test("a warning is healthy too; what has no status or is disabled is not in the total", () => {
  const sum = summarize(["healthy", "warning", "none", "disabled", "building", "unhealthy"]);
  expect(sum).toEqual({ total: 4, unhealthy: 1, warning: 1, pending: 1, healthy: 2, disabled: 1 });
});

test("the title says the worst", () => {
  const of = (...statuses: Status[]) => title(summarize(statuses), true, false).text;
  expect(of("healthy", "healthy")).toBe("✔︎ 2/2 ┊ Tilt");
  expect(of("healthy", "pending")).toBe("… 1/2 ┊ Tilt");
  expect(of("pending", "unhealthy")).toBe("✖︎ 1 ┊ Tilt");
  expect(title(summarize([]), false, false).text).toBe("Disconnected ┊ Tilt");
  expect(title(summarize(["healthy"]), false, true).text).toBe("Snapshot: ✔︎ 1/1 ┊ Tilt");
});
