// Objects for tests: only what a test is about has to be said.

import type { LogLine, UIButton, UIResource, View } from "../src/wire/types";
import { emptyModel, applyFrame, type Model } from "../src/core/view";
import { RowMaker, type Row } from "../src/core/resources";

type Status = NonNullable<UIResource["status"]>;

export function resource(name: string, status: Partial<Status> = {}, labels: string[] = []): UIResource {
  return {
    metadata: { name, labels: Object.fromEntries(labels.map((label) => [label, label])) },
    status: { updateStatus: "ok", runtimeStatus: "ok", disableStatus: { enabledCount: 1, disabledCount: 0, state: "Enabled", sources: [] }, ...status },
  };
}

export function button(name: string, resource: string, spec: Partial<NonNullable<UIButton["spec"]>> = {}, type = ""): UIButton {
  return {
    metadata: { name, annotations: type ? { "tilt.dev/uibutton-type": type } : {} },
    spec: { location: { componentID: resource, componentType: "Resource" }, text: name, ...spec },
  };
}

export const whole = (view: Partial<View>): View => ({ tiltStartTime: "2026-01-02T03:04:00.000000Z", isComplete: true, ...view });
export const model = (view: Partial<View>): Model => applyFrame(emptyModel, whole(view));
export const rows = (...resources: UIResource[]): readonly Row[] => new RowMaker().of(model({ uiResources: resources }));

export function piece(p: number, x: string, more: Partial<LogLine> = {}): LogLine {
  return { p, t: 1_700_000_000_000_000 + p * 1000, l: 2, s: "a", m: "web", x, ...more };
}
