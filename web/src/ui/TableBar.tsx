// The bar above the table: filters, and what is done to those that are selected.

import { useEffect, useState } from "preact/hooks";
import { withSelected } from "../app/actions";
import { set, setChoice, setGroups, use } from "../app/store";
import { everywhere } from "../app/storage";
import { hasLabels } from "../core/groups";
import type { Status } from "../core/status";
import { IconButton } from "./parts";
import { StatusIcon, statusWords } from "./icons";

export function TableBar({ groupIds, shown }: { groupIds: readonly string[]; shown: number }) {
  const choice = use((s) => s.choice);
  const isFiltered = choice.name !== "" || choice.statuses.size > 0;
  return (
    <div class="bar" role="toolbar" aria-label="Filter and selection">
      <NameFilter />
      <StatusFilter />
      <label class="check">
        <input type="checkbox" checked={choice.showDisabled} onChange={() => setChoice({ showDisabled: !choice.showDisabled })} />
        Show disabled resources
      </label>
      <Selected />
      <span class="bar-gap" />
      {isFiltered && <span aria-live="polite">{shown} {shown === 1 ? "result" : "results"}</span>}
      {groupIds.length > 0 && (
        <>
          <IconButton icon="expand" label="Expand all groups" onClick={() => setGroups(groupIds, true)} />
          <IconButton icon="collapse" label="Collapse all groups" onClick={() => setGroups(groupIds, false)} />
        </>
      )}
      <LabelTip />
    </div>
  );
}

export function NameFilter() {
  const name = use((s) => s.choice.name);
  return (
    <span class="field">
      <input id="name-filter" type="search" placeholder="Filter by resource name" aria-label="Filter by resource name" value={name} onInput={(event) => setChoice({ name: event.currentTarget.value })} onKeyDown={leave} />
      {name && <IconButton icon="cross" label="Clear the name filter" onClick={() => setChoice({ name: "" })} />}
    </span>
  );
}

function leave(event: KeyboardEvent & { currentTarget: HTMLInputElement }): void {
  if (event.key !== "Escape") return;
  setChoice({ name: "" });
  event.currentTarget.blur();
}

const choices: Status[] = ["unhealthy", "warning", "pending", "healthy"];

function StatusFilter() {
  const statuses = use((s) => s.choice.statuses);
  const flip = (status: Status) => {
    const next = new Set(statuses);
    // What is updated now is pending too.
    for (const each of status === "pending" ? (["pending", "building"] as const) : [status]) {
      if (!next.delete(each)) next.add(each);
    }
    setChoice({ statuses: next });
  };
  return (
    <span class="toggles" role="group" aria-label="Filter by status">
      {choices.map((status) => (
        <button key={status} type="button" class="toggle" aria-pressed={statuses.has(status)} title={`Only ${statusWords[status]}`} aria-label={`Only ${statusWords[status]}`} onClick={() => flip(status)}>
          <StatusIcon status={status} />
        </button>
      ))}
    </span>
  );
}

function Selected() {
  const selected = use((s) => s.selected);
  const rows = use((s) => s.rows);
  const [isAsking, setAsking] = useState(false);
  useEffect(() => setAsking(false), [selected.size]);
  if (selected.size === 0) return null;
  const chosen = rows.filter((row) => selected.has(row.name));
  const isAllOff = chosen.every((row) => row.status === "disabled");
  const isAllOn = chosen.every((row) => row.status !== "disabled");
  return (
    <span class="selection" role="group" aria-label="What to do with those selected">
      <span>{chosen.length} selected</span>
      <button type="button" class="button" disabled={isAllOff} onClick={() => void withSelected("trigger")}>Trigger</button>
      <button type="button" class="button" disabled={isAllOn} onClick={() => void withSelected("enable")}>Enable</button>
      {isAsking ? (
        <>
          <button type="button" class="button danger" autoFocus onClick={() => void withSelected("disable")}>Confirm</button>
          <IconButton icon="cross" label="Cancel disabling" onClick={() => setAsking(false)} />
        </>
      ) : (
        <button type="button" class="button" disabled={isAllOff} onClick={() => setAsking(true)}>Disable</button>
      )}
      <IconButton icon="cross" label="Select none" onClick={() => set({ selected: new Set() })} />
    </span>
  );
}

/** Tells once what labels are good for. */
function LabelTip() {
  const rows = use((s) => s.rows);
  const [isGone, setGone] = useState(() => everywhere.read("tip-labels", false));
  if (isGone || rows.length < 8 || hasLabels(rows)) return null;
  const dismiss = () => {
    everywhere.write("tip-labels", true);
    setGone(true);
  };
  return (
    <span class="tip">
      <code>k8s_resource(…, labels=["shop"])</code> makes groups. <IconButton icon="cross" label="Don’t show this tip" onClick={dismiss} />
    </span>
  );
}
