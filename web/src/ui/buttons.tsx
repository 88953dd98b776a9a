// Buttons that act on resources: start and stop, the trigger mode, and those that a Tiltfile defines.

import { useState } from "preact/hooks";
import { press, setMode, stopRow, triggerRow } from "../app/actions";
import { get } from "../app/store";
import { svgImage, visibleInputs } from "../core/buttons";
import { triggerState, type Row } from "../core/resources";
import { nameOf } from "../core/view";
import type { UIButton } from "../wire/types";
import { Icon } from "./icons";
import { IconButton } from "./parts";

/** In a snapshot nothing can be done: what would act is not there. */
const isSnapshot = (): boolean => get().snapshot !== undefined;

export function TriggerButton({ row }: { row: Row }) {
  if (isSnapshot()) return null;
  const state = triggerState(row);
  const of = row.name;
  switch (state) {
    case "building":
      return <IconButton icon="stop" label={`Stop update of ${of}`} onClick={() => void stopRow(row)} />;
    case "queued":
      return <IconButton icon="trigger" class="spins-icon" label={`${of}: Resource already queued!`} disabled onClick={() => {}} />;
    case "starting":
      return <IconButton icon="trigger" label={`${of}: Resource already updating!`} disabled onClick={() => {}} />;
    case "due":
      return <IconButton icon="trigger" class="is-due" label={`Trigger update of ${of} to sync changes`} onClick={() => void triggerRow(row)} />;
    default:
      return <IconButton icon="trigger" label={`Trigger update of ${of}`} onClick={() => void triggerRow(row)} />;
  }
}

export function ModeToggle({ row }: { row: Row }) {
  if (isSnapshot()) return null;
  const mode = row.resource.status?.triggerMode ?? 0;
  const isAuto = mode === 0 || mode === 3;
  const tip = isAuto ? "Auto: File changes trigger update" : "Manual: File changes don’t trigger updates";
  return (
    <button type="button" role="switch" aria-checked={isAuto} aria-label={`${row.name}: automatic updates`} class="mode" title={tip} onClick={() => void setMode(row, isAuto ? 2 : 0)}>
      <span class="mode-knob" />
      <span class="mode-text">{isAuto ? "auto" : "manual"}</span>
    </button>
  );
}

interface CustomProps {
  button: UIButton;
  /** Only the icon is shown. */
  small?: boolean;
}

/** A button that a Tiltfile or a user defined. One that must be confirmed asks once more. */
export function CustomButton(props: CustomProps) {
  return isSnapshot() ? null : <LiveButton {...props} />;
}

function LiveButton({ button, small }: CustomProps) {
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const text = button.spec?.text || nameOf(button);
  const mustConfirm = !!button.spec?.requiresConfirmation && visibleInputs(button).length === 0;
  const run = () => {
    if (mustConfirm && !isAsking) {
      setAsking(true);
      return;
    }
    setAsking(false);
    setBusy(true);
    void press(button).finally(() => setBusy(false));
  };
  const isOff = isBusy || !!button.spec?.disabled;
  if (isAsking) {
    return (
      <span class="confirm" role="group" aria-label={`Confirm ${text}`}>
        <button type="button" class="button danger" onClick={run} autoFocus>
          Confirm
        </button>
        <IconButton icon="cross" label={`Cancel ${text}`} onClick={() => setAsking(false)} />
      </span>
    );
  }
  return (
    <button type="button" class={small ? "icon-button" : "button"} disabled={isOff} title={text} aria-label={small ? text : undefined} aria-haspopup={visibleInputs(button).length > 0 ? "dialog" : undefined} onClick={run}>
      <ButtonIcon button={button} />
      {!small && <span class="cut">{text}</span>}
    </button>
  );
}

function ButtonIcon({ button }: { button: UIButton }) {
  const svg = button.spec?.iconSVG;
  if (svg) return <img class="icon" src={svgImage(svg)} alt="" />;
  return <Icon name={materialIcons[button.spec?.iconName ?? ""] ?? "button"} />;
}

/** The names of Material's icons that have an icon of the same meaning here. */
const materialIcons: Record<string, "play" | "stop" | "trigger" | "cross" | "check" | "trash" | "download" | "bolt" | "link" | "warning" | "help" | "star" | "copy"> = {
  play_arrow: "play",
  stop: "stop",
  cancel: "cross",
  close: "cross",
  clear: "cross",
  refresh: "trigger",
  restart_alt: "trigger",
  replay: "trigger",
  sync: "trigger",
  autorenew: "trigger",
  check: "check",
  done: "check",
  delete: "trash",
  download: "download",
  bolt: "bolt",
  flash_on: "bolt",
  link: "link",
  warning: "warning",
  help: "help",
  star: "star",
  content_copy: "copy",
};
