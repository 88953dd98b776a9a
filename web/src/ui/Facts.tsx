// What is known of a resource beside its log: updates and why they began, pods, port-forwards, what depends on what.

import { useEffect, useState } from "preact/hooks";
import { detail } from "../app/api";
import { everywhere } from "../app/storage";
import { use } from "../app/store";
import { TILTFILE, type Row } from "../core/resources";
import { detailPath } from "../core/routes";
import { took } from "../core/time";
import type { Build, Detail, Pod } from "../wire/types";
import { Updates, useHistory } from "./History";
import { Icon, StatusIcon } from "./icons";
import { Ago, Cut, Endpoint, Link } from "./parts";

/** Asks for the details, and again when the resource changed. */
function useDetail(row: Row, isOpen: boolean): Detail | undefined {
  const isSnapshot = use((s) => s.snapshot !== undefined);
  const [found, setFound] = useState<Detail>();
  useEffect(() => {
    if (!isOpen || isSnapshot || row.name === TILTFILE) return;
    const stop = new AbortController();
    detail(row.name, stop.signal).then(setFound, () => {});
    return () => stop.abort();
  }, [row, isOpen, isSnapshot]);
  return found?.name === row.name ? found : undefined;
}

export function Facts({ row }: { row: Row }) {
  const [isOpen, setOpen] = useState(() => everywhere.read("facts-open", false));
  // What runs and is not well may say why only here.
  const found = useDetail(row, isOpen || row.runtime === "unhealthy");
  const flip = () => {
    everywhere.write("facts-open", !isOpen);
    setOpen(!isOpen);
  };
  const last = row.resource.status?.buildHistory?.[0];
  const error = row.build === "unhealthy" ? last?.error : row.runtime === "unhealthy" ? row.resource.status?.k8sResourceInfo?.podStatusMessage || found?.unwell || found?.server?.fault : "";
  return (
    <section class="facts" aria-label={`About ${row.name}`}>
      <div class="facts-head">
        <button type="button" class="group-button" aria-expanded={isOpen} onClick={flip}>
          <Icon name={isOpen ? "down" : "right"} /> Details
        </button>
        <span class="facts-line">
          {row.updateText && <span class={`is-${row.build}`}>{row.updateText}</span>}
          {row.runtimeText && <span class={`is-${row.runtime}`}>{row.runtimeText}</span>}
          {row.waits && <span>waits for {row.waits}</span>}
          <Ago time={row.resource.status?.lastDeployTime} />
        </span>
      </div>
      {error && <pre class="fault" role="alert">{error}</pre>}
      {isOpen && (
        <div class="facts-body">
          <Told row={row} found={found} />
        </div>
      )}
    </section>
  );
}

function Told({ row, found }: { row: Row; found: Detail | undefined }) {
  const history = useHistory(row);
  return (
    <>
      {history?.updates?.length || history?.waiting?.length ? <Updates found={history} /> : <History builds={historyOf(row)} />}
      {found && <Found found={found} />}
    </>
  );
}

/** What the view itself tells of updates. */
function historyOf(row: Row): Build[] {
  const status = row.resource.status;
  const running = status?.currentBuild ? [{ ...status.currentBuild, finishTime: null, error: null }] : [];
  return [...running, ...(status?.buildHistory ?? [])].map((build) => ({
    spanId: build.spanID ?? "",
    reason: "",
    startTime: build.startTime ?? "",
    finishTime: build.finishTime ?? null,
    error: build.error ?? null,
  }));
}

function Found({ found }: { found: Detail }) {
  return (
    <>
      {(found.unwell || found.noPod) && <p class="fact"><StatusIcon status="warning" /> {found.unwell || found.noPod}</p>}
      {found.pods.length > 0 && (
        <div class="fact">
          <h2>Pods</h2>
          <ul>{found.pods.map((pod) => <PodLine key={pod.name} pod={pod} />)}</ul>
        </div>
      )}
      {found.server && (
        <div class="fact">
          <h2>Server</h2>
          <p>{found.server.pid ? `process ${found.server.pid}` : "not running"}{found.server.ready ? ", ready" : ""}{found.server.fault ? `: ${found.server.fault}` : ""}</p>
        </div>
      )}
      {found.forwards.length > 0 && (
        <div class="fact">
          <h2>Port-forwards</h2>
          <ul>
            {found.forwards.map((forward) => (
              <li key={forward.url}>
                <StatusIcon status={forward.healthy ? "healthy" : forward.error ? "unhealthy" : "pending"} /> <Endpoint link={forward} /> {forward.pod ? <span class="dim">to {forward.pod}</span> : null}
                {forward.error ? <span class="is-unhealthy"> {forward.error}</span> : null}
              </li>
            ))}
          </ul>
        </div>
      )}
      <Names title="Depends on" names={found.dependsOn} />
      <Names title="Needed by" names={found.dependents} />
      {found.objects.length > 0 && (
        <div class="fact">
          <h2>Objects</h2>
          <p class="mono">{found.objects.join(" ")}</p>
        </div>
      )}
    </>
  );
}

function Names({ title, names }: { title: string; names: readonly string[] }) {
  const base = use((s) => s.place.base);
  const rows = use((s) => s.rows);
  if (names.length === 0) return null;
  return (
    <div class="fact">
      <h2>{title}</h2>
      <ul class="in-line">
        {names.map((name) => (
          <li key={name}>
            <StatusIcon status={rows.find((row) => row.name === name)?.status ?? "none"} /> <Link to={detailPath(base, name)}>{name}</Link>
          </li>
        ))}
      </ul>
    </div>
  );
}

function History({ builds }: { builds: readonly Build[] }) {
  if (builds.length === 0) return null;
  return (
    <div class="fact">
      <h2>Updates</h2>
      <ul>
        {builds.map((build) => (
          <li key={build.spanId + build.startTime}>
            <StatusIcon status={build.error ? "unhealthy" : build.finishTime ? "healthy" : "building"} /> <Ago time={build.finishTime ?? build.startTime} />{" "}
            {took(build.startTime, build.finishTime) || "runs"}
            {build.reason && <span class="dim"> · {build.reason}</span>}
            {build.error && <Cut text={build.error} class="is-unhealthy" />}
          </li>
        ))}
      </ul>
    </div>
  );
}

function PodLine({ pod }: { pod: Pod }) {
  const isReady = pod.containers.every((container) => container.isInit || container.ready);
  return (
    <li>
      <StatusIcon status={pod.errors.length > 0 ? "unhealthy" : isReady ? "healthy" : "pending"} /> <span class="mono">{pod.name}</span> <span class="dim">{pod.namespace}</span>{" "}
      {pod.deleting ? "Terminating" : pod.status} · <Ago time={pod.createdAt} />
      <ul>
        {pod.containers.map((container) => (
          <li key={container.name}>
            {container.name}: {container.state}
            {container.isInit ? " (init)" : ""}
            {container.restarts > 0 ? `, ${container.restarts} restarts` : ""}
          </li>
        ))}
      </ul>
      {pod.errors.map((error) => <Cut key={error} text={error} class="is-unhealthy" />)}
    </li>
  );
}
