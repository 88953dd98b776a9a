// One resource in the table.

import { memo } from "./memo";
import { useEffect, useRef, useState } from "preact/hooks";
import { history } from "../app/api";
import { get, set, use } from "../app/store";
import { lastInWords } from "../core/history";
import { TILTFILE, type Row } from "../core/resources";
import { detailPath } from "../core/routes";
import type { Status } from "../core/status";
import { nameOf } from "../core/view";
import { CustomButton, ModeToggle, TriggerButton } from "./buttons";
import { StarButton } from "./Header";
import { StatusIcon } from "./icons";
import { Ago, CopyButton, Cut, Endpoint, Link } from "./parts";

interface Props {
  row: Row;
  depth: number;
  index: number;
  isSelected: boolean;
  isFocused: boolean;
  itemKey: string;
  onFocus: (key: string) => void;
}

export const TableRow = memo(function TableRow({ row, depth, index, isSelected, isFocused, itemKey, onFocus }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const base = use((s) => s.place.base);
  const isStar = use((s) => s.stars.includes(row.name));
  useEffect(() => {
    if (isFocused && !element.current?.contains(document.activeElement)) element.current?.focus({ preventScroll: true });
  }, [isFocused]);
  const isOff = row.status === "disabled";
  const pod = row.resource.status?.k8sResourceInfo;
  const last = useLast(row);
  return (
    <div
      ref={element}
      role="row"
      aria-rowindex={index}
      aria-selected={row.toggle ? isSelected : undefined}
      tabIndex={isFocused ? 0 : -1}
      onFocusIn={() => onFocus(itemKey)}
      class={`row cells depth-${Math.min(depth, 4)} is-${row.status} ${isSelected ? "is-selected" : ""} ${row.build === "building" ? "stripes" : ""}`}
    >
      <div role="cell" class="cell of-pick">
        <input type="checkbox" checked={isSelected} disabled={!row.toggle} title={row.toggle ? "" : "Cannot select resource"} aria-label={`Select ${row.name}`} onChange={() => pick(row.name)} />
      </div>
      <div role="cell" class="cell of-star">
        <StarButton name={row.name} isStar={isStar} />
      </div>
      <div role="cell" class="cell of-updated">{!isOff && <Ago time={row.resource.status?.lastDeployTime} />}</div>
      <div role="cell" class="cell of-trigger">{!isOff && <TriggerButton row={row} />}</div>
      <div role="cell" class="cell of-name">
        <Link to={detailPath(base, row.name)} class="name" title={row.name}>
          <Cut text={row.name} />
        </Link>
      </div>
      <div role="cell" class="cell of-type">{row.type}</div>
      <div role="cell" class="cell of-status">
        {(row.updateText || row.runtimeText || row.waits) && <Link to={detailPath(base, row.name)} class="status-link" description={last.text} onLook={last.onLook}>
          <StatusLine status={row.build} text={row.updateText} tip={row.waits ? `Update: waiting on ${row.waits}` : last.text} />
          {row.waits && !isOff ? <span class="waits cut">waits for {row.waits}</span> : <StatusLine status={row.runtime} text={isOff ? "" : row.runtimeText} />}
          {!isOff && <Restarts count={pod?.podRestarts} class="only-without-pod" />}
        </Link>}
      </div>
      <div role="cell" class="cell of-pod">
        {!isOff && pod?.podName ? (
          <>
            <Cut text={pod.podName} class="mono" />
            <Restarts count={pod.podRestarts} />
            <CopyButton text={pod.podName} label={`Copy the pod id of ${row.name}`} />
          </>
        ) : null}
      </div>
      <div role="cell" class="cell of-widgets">
        {!isOff && row.widgets.map((button) => <CustomButton key={nameOf(button)} button={button} small />)}
      </div>
      <div role="cell" class="cell of-endpoints">
        {row.links.map((link) => (
          <Endpoint key={link.url ?? ""} link={link} />
        ))}
      </div>
      <div role="cell" class="cell of-mode">{!isOff && row.name !== TILTFILE && <ModeToggle row={row} />}</div>
    </div>
  );
});

/** Why the last update began and where its time went; it is asked for while somebody looks. */
function useLast(row: Row): { text: string; onLook: (looks: boolean) => void } {
  const isSnapshot = use((s) => s.snapshot !== undefined);
  const [looks, onLook] = useState(false);
  const [text, setText] = useState("");
  useEffect(() => {
    if (!looks || isSnapshot) return;
    const stop = new AbortController();
    history(row.name, stop.signal).then((told) => setText(lastInWords(told, Date.now())), () => {});
    return () => stop.abort();
  }, [row, looks, isSnapshot]);
  return { text: looks ? text : "", onLook };
}

const Restarts = ({ count, class: of = "" }: { count: number | null | undefined; class?: string }) =>
  count ? <span class={`restarts ${of}`} title={`${count} restarts`}>↻{count}</span> : null;

function pick(name: string): void {
  const selected = new Set(get().selected);
  if (!selected.delete(name)) selected.add(name);
  set({ selected });
}

function StatusLine({ status, text, tip }: { status: Status; text: string; tip?: string }) {
  if (!text) return null;
  return (
    <span class={`status-line is-${status}`} title={tip || text}>
      <StatusIcon status={status} />
      <span class={status === "pending" ? "cut pulses" : "cut"}>{text}</span>
    </span>
  );
}
