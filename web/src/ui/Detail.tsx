// One resource, or several: the list at the left, what can be done at the top, and the log.

import { useLayoutEffect, useMemo } from "preact/hooks";
import { triggerRow } from "../app/actions";
import { onKey } from "../app/keys";
import { get, setSidebar, use } from "../app/store";
import { chosen } from "../core/groups";
import { safeUrl } from "../core/links";
import { type Row } from "../core/resources";
import { ALL, STARRED } from "../core/routes";
import { nameOf } from "../core/view";
import { CustomButton, ModeToggle, TriggerButton } from "./buttons";
import { Facts } from "./Facts";
import { StatusIcon } from "./icons";
import { LogPane } from "./LogPane";
import { CopyButton, Cut, Endpoint, IconButton } from "./parts";
import { Sidebar, step } from "./Sidebar";

export function Detail({ name }: { name: string }) {
  const row = use((s) => s.rows.find((row) => row.name === name));
  const stars = use((s) => s.stars);
  const isKnown = name === ALL || name === STARRED || row !== undefined;
  const resources = useMemo(() => (name === ALL ? undefined : name === STARRED ? stars : [name]), [name, stars]);
  useDetailKeys(name, row);
  return (
    <div class="detail">
      <Sidebar name={name} />
      <main class="pane" aria-label={name === ALL ? "All resources" : name === STARRED ? "Starred resources" : `Resource ${name}`}>
        {isKnown ? (
          <>
            <ActionBar name={name} row={row} />
            {row && <Facts row={row} />}
            <LogPane key={name} name={name} resources={resources} row={row} />
          </>
        ) : (
          <p class="empty" role="alert">No resource '{name.length > 200 ? `${name.slice(0, 199)}…` : name}'</p>
        )}
      </main>
    </div>
  );
}

function ActionBar({ name, row }: { name: string; row: Row | undefined }) {
  const isSidebarOpen = use((s) => s.isSidebarOpen);
  const pod = row?.resource.status?.k8sResourceInfo?.podName;
  const isOff = row?.status === "disabled";
  const title = name === ALL ? "All Resources" : name === STARRED ? "Starred Resources" : name;
  return (
    <div class="actions" role="toolbar" aria-label="Actions">
      {!isSidebarOpen && <IconButton icon="list" class="only-narrow" label="List of resources" onClick={() => setSidebar(true)} />}
      <h1 class="actions-title">
        {row && <StatusIcon status={row.status} />}
        <Cut text={title} />
      </h1>
      {row && !isOff && (
        <>
          <TriggerButton row={row} />
          {row.type !== "Tiltfile" && <ModeToggle row={row} />}
          {row.links.length > 0 && (
            <span class="endpoints" role="group" aria-label="Endpoints">
              {row.links.map((link) => <Endpoint key={link.url ?? ""} link={link} />)}
            </span>
          )}
          {pod && <CopyButton text={pod} label={`Copy the pod id ${pod}`} shown="Pod ID" />}
          {row.widgets.map((button) => <CustomButton key={nameOf(button)} button={button} />)}
        </>
      )}
      {row?.toggle && <CustomButton key={nameOf(row.toggle) + String(isOff)} button={row.toggle} />}
    </div>
  );
}

function useDetailKeys(name: string, row: Row | undefined): void {
  useLayoutEffect(() => {
    const order = () => chosen(get().rows, { ...get().choice, statuses: new Set(), sort: undefined });
    const base = () => get().place.base;
    const keys: Record<string, () => void> = {
      j: () => step(order(), name, 1, base()),
      k: () => step(order(), name, -1, base()),
      r: () => {
        if (row && row.status !== "disabled") void triggerRow(row);
      },
    };
    for (let n = 1; n <= 9; n += 1) {
      keys[`Shift+${n}`] = () => {
        const url = safeUrl(row?.links[n - 1]?.url ?? "", location.hostname);
        if (url) window.open(url, url, "noopener");
      };
    }
    return onKey(keys);
  }, [name, row]);
}
