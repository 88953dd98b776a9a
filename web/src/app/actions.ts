// What a user does to resources.

import type { Row } from "../core/resources";
import { clicked, visibleInputs, type Entered } from "../core/buttons";
import { ALL, detailPath } from "../core/routes";
import { nameOf } from "../core/view";
import type { UIButton } from "../wire/types";
import * as api from "./api";
import { failed, get, goTo, set, toast } from "./store";

export async function triggerRow(row: Row): Promise<void> {
  try {
    await api.trigger(row.name);
  } catch (error) {
    failed(error);
  }
}

/** Stops the update that runs. */
export const stopRow = (row: Row): Promise<void> => (row.stop ? send(row.stop, {}) : Promise.resolve());

export async function setMode(row: Row, mode: number): Promise<void> {
  try {
    await api.setTriggerMode(row.name, mode);
  } catch (error) {
    failed(error);
  }
}

/** A click: opens the inputs if there are any to fill in. */
export function press(button: UIButton): Promise<void> {
  if (visibleInputs(button).length > 0) {
    set({ dialog: { kind: "inputs", button } });
    return Promise.resolve();
  }
  return send(button, {});
}

/** Sends a click with what was entered. */
export async function send(button: UIButton, entered: Entered): Promise<void> {
  try {
    await api.click(clicked(button, entered, new Date()));
    const kind = button.metadata?.annotations?.["tilt.dev/uibutton-type"];
    if (!kind) announce(button);
  } catch (error) {
    failed(error);
  }
}

function announce(button: UIButton): void {
  const location = button.spec?.location;
  const isGlobal = location?.componentType.toLowerCase() === "global";
  const path = detailPath(get().place.base, isGlobal ? ALL : (location?.componentID ?? ALL));
  toast(`Triggered button: ${button.spec?.text || nameOf(button)}`, path, isGlobal ? "Global Logs" : "Resource Logs");
}

/** Does the same to all rows that are selected, and selects none any more. */
export async function withSelected(what: "trigger" | "enable" | "disable"): Promise<void> {
  const { rows, selected } = get();
  const chosen = rows.filter((row) => selected.has(row.name));
  set({ selected: new Set() });
  const isOff = (row: Row) => row.status === "disabled";
  await Promise.all(
    chosen.map((row) => {
      if (what === "trigger") return isOff(row) ? undefined : triggerRow(row);
      return row.toggle && isOff(row) === (what === "enable") ? send(row.toggle, {}) : undefined;
    }),
  );
}

/** Shows nothing of the log that is there now; a load of the page brings it back. */
export function clearLog(name: string): void {
  const { cleared, model, place, snapshot } = get();
  if (snapshot) return;
  if (place.log.line !== undefined) goTo(detailPath(place.base, name, { ...place.log, line: undefined }), "replace");
  set({ cleared: { ...cleared, [name]: model.logEnd } });
}
