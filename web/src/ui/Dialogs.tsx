// What opens over the page: help, snapshot, cluster, errors, inputs of a button, and what went wrong.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { send } from "../app/actions";
import * as api from "../app/api";
import { project } from "../app/storage";
import { dismiss, failed, get, goTo, log, set, tiltfileKey, use } from "../app/store";
import { inputLabel, inputName, startValue, visibleInputs, type Entered } from "../core/buttons";
import { alertsIn } from "../core/resources";
import { plainText } from "../core/log/ansi";
import { besideError } from "../core/log/beside";
import { Lines } from "../core/log/lines";
import { positionAt } from "../core/log/seek";
import { ALL, detailPath } from "../core/routes";
import { fieldTime, fileTime } from "../core/time";
import { nameOf } from "../core/view";
import type { UIButton, UIInputSpec } from "../wire/types";
import { StatusIcon } from "./icons";
import { IconButton, Link } from "./parts";

const close = () => set({ dialog: undefined });

export function Dialogs() {
  const dialog = use((s) => s.dialog);
  switch (dialog?.kind) {
    case "help":
      return <Help />;
    case "snapshot":
      return <SaveSnapshot />;
    case "cluster":
      return <Cluster />;
    case "errors":
      return <Errors />;
    case "time":
      return <GoToTime />;
    case "inputs":
      return <Inputs key={nameOf(dialog.button)} button={dialog.button} />;
    case "failure":
      return (
        <Box title="That did not work">
          <pre class="fault">{dialog.text}</pre>
        </Box>
      );
    default:
      return null;
  }
}

/** A box over the page; Esc and a click beside it close it, and the focus goes back to where it was. */
function Box({ title, children, wide, closedBy }: { title: string; children: ComponentChildren; wide?: boolean; closedBy?: string }) {
  const element = useRef<HTMLDialogElement>(null);
  // A key may have opened another one before it is told that this one is closed.
  const [own] = useState(() => get().dialog);
  const closed = () => {
    if (get().dialog === own) close();
  };
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "box is-wide" : "box"}
      aria-label={title}
      onClose={closed}
      onKeyDown={(event) => {
        if (event.key === closedBy) {
          // It is not to be opened again at once.
          event.preventDefault();
          close();
        }
      }}
      onClick={(event) => {
        if (event.target === element.current) close();
      }}
    >
      <div class="box-inner">
        <div class="box-head">
          <h2>{title}</h2>
          <IconButton icon="cross" label="Close" onClick={close} />
        </div>
        {children}
      </div>
    </dialog>
  );
}

const keys: [string, string][] = [
  ["j / k, ↓ / ↑", "Table: next and previous row. Detail: j and k, next and previous resource"],
  ["Enter", "Table: open the row"],
  ["x", "Table: select the row"],
  ["Esc", "Table: select none. In a field: empty it"],
  ["r", "Detail: trigger an update"],
  ["Shift+1 … 9", "Detail: open the n-th endpoint"],
  ["n / p", "Detail: next and previous error in the log"],
  ["Home / End", "Detail: begin and end of the log"],
  ["t", "Detail: go to a time in the log"],
  ["Ctrl+Backspace", "Detail: clear the log"],
  ["/", "Filter resources"],
  ["s", "Snapshot"],
  ["?", "This help"],
];

const Help = () => (
  <Box title="Keys" wide closedBy="?">
    <table class="keys">
      <tbody>
        {keys.map(([key, what]) => (
          <tr key={key}>
            <th scope="row"><kbd>{key}</kbd></th>
            <td>{what}</td>
          </tr>
        ))}
      </tbody>
    </table>
    <p>
      The filter of the log takes a text, or a regular expression between slashes: <code>/time(d )?out/</code>. The{" "}
      <a href="https://docs.tilt.dev/" target="_blank" rel="noopener noreferrer">documentation of Tilt</a> holds here too.
    </p>
  </Box>
);

function SaveSnapshot() {
  const [isBusy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      const snapshot = { ...(await api.snapshot("now")), path: location.pathname + location.search };
      const url = URL.createObjectURL(new Blob([JSON.stringify(snapshot)], { type: "application/json" }));
      const link = document.createElement("a");
      link.href = url;
      link.download = `tilt-snapshot_${fileTime(new Date())}.json`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
      close();
    } catch (error) {
      failed(error);
    }
  };
  return (
    <Box title="Create a Snapshot">
      <p>A file with everything that this page shows, and the end of the log. Whoever has it opens it with <code>tilt snapshot view FILE</code>. Look for secrets before you pass it on: those that tilt knows are hidden.</p>
      <p class="box-actions">
        <button type="button" class="button primary" disabled={isBusy} autoFocus onClick={() => void save()}>Save Snapshot</button>
      </p>
    </Box>
  );
}

function Cluster() {
  const cluster = use((s) => s.model.clusters.get("default"));
  const status = cluster?.status;
  const kubernetes = status?.connection?.kubernetes;
  const wanted = cluster?.spec?.connection?.kubernetes;
  const facts: [string, string | null | undefined][] = [
    ["Product", kubernetes?.product],
    ["Context", kubernetes?.context ?? wanted?.context],
    ["Namespace", kubernetes?.namespace ?? wanted?.namespace],
    ["Architecture", status?.arch],
    ["Version", status?.version],
    ["Local registry", status?.registry?.host],
  ];
  return (
    <Box title="Kubernetes">
      {status?.error ? <pre class="fault">{status.error}</pre> : <p><StatusIcon status="healthy" /> Healthy</p>}
      <dl class="facts-list">
        {facts.map(([name, value]) => value ? <div key={name}><dt>{name}</dt><dd>{value}</dd></div> : null)}
      </dl>
    </Box>
  );
}

/** Asks for a time, and shows what was said then. */
function GoToTime() {
  const [text, setText] = useState(() => fieldTime(Date.now() - 3_600_000));
  const go = (time: number) => {
    const { place } = get();
    const name = place.route.view === "detail" ? place.route.name : ALL;
    positionAt(log, time).then((line) => {
      close();
      goTo(detailPath(place.base, name, { ...place.log, line }), "replace");
    }, failed);
  };
  const before: [string, number][] = [["5 minutes ago", 300], ["1 hour ago", 3600], ["1 day ago", 86_400]];
  return (
    <Box title="Go to a time in the log">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          go(new Date(text).getTime());
        }}
      >
        <label class="input">
          <span>Time</span>
          <input type="datetime-local" step="1" required autoFocus value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <p class="box-actions is-left">
          {before.map(([text, seconds]) => (
            <button key={text} type="button" class="button" onClick={() => go(Date.now() - seconds * 1000)}>{text}</button>
          ))}
          <span class="bar-gap" />
          <button type="submit" class="button primary">Go</button>
        </p>
      </form>
    </Box>
  );
}

/** All that is not well, in one place. */
function Errors() {
  const rows = use((s) => s.rows);
  const base = use((s) => s.place.base);
  const bad = rows.filter((row) => row.status === "unhealthy" || alertsIn(row) > 0);
  return (
    <Box title="Errors and warnings" wide>
      {bad.length === 0 && <p><StatusIcon status="healthy" /> Nothing is wrong any more.</p>}
      {bad.map((row) => {
        const status = row.resource.status;
        const text = row.build === "unhealthy" ? status?.buildHistory?.[0]?.error : row.runtime === "unhealthy" ? (status?.k8sResourceInfo?.podStatusMessage || status?.k8sResourceInfo?.podStatus) : "";
        const { build, runtime } = row.alerts;
        const [errors, warnings] = [build.errors + runtime.errors, build.warnings + runtime.warnings];
        return (
          <article key={row.name} class="error-card">
            <h3>
              <StatusIcon status={row.status} />{" "}
              <Link to={detailPath(base, row.name, { level: errors > 0 || row.status === "unhealthy" ? "" : "warn" })}>{row.name}</Link>
              <span class="dim"> {[row.updateText, row.runtimeText, counted(errors, "error"), counted(warnings, "warning")].filter(Boolean).join(" · ")}</span>
            </h3>
            {text && <pre class="fault">{text}</pre>}
            {row.status === "unhealthy" && <LastLines name={row.name} error={text ?? ""} />}
          </article>
        );
      })}
    </Box>
  );
}

const counted = (count: number, what: string): string => (count === 0 ? "" : `${count} ${what}${count === 1 ? "" : "s"}`);

/** How many of the last lines are shown beside an error. */
const LAST = 6;

/** What a resource said last beside its error: there is often more in it. */
function LastLines({ name, error }: { name: string; error: string }) {
  const [text, setText] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    const all = { resources: [name], level: "", source: "", term: "", context: 0 } as const;
    const texts = (lines: Lines) => lines.all.map((line) => plainText(line.text).slice(0, 400));
    log.before(all, Number.MAX_SAFE_INTEGER, LAST + error.split("\n").length + 4, stop.signal).then(({ lines }) => setText(besideError(texts(Lines.of(lines)), error, LAST).join("\n")), () => {});
    return () => stop.abort();
  }, [name, error]);
  return text ? <pre class="last-lines" aria-label={`The last lines of ${name}`}>{text}</pre> : null;
}

/** The inputs of a button, filled in and sent. */
function Inputs({ button }: { button: UIButton }) {
  const key = `apibutton-${nameOf(button)}`;
  const inputs = visibleInputs(button);
  const [entered, setEntered] = useState<Entered>(() => {
    const last = project.read<Entered>(tiltfileKey(get().model), key, {});
    return Object.fromEntries(inputs.map((input) => [inputName(input), startValue(input, last)]));
  });
  const submit = (event: Event) => {
    event.preventDefault();
    project.write(tiltfileKey(get().model), key, entered);
    close();
    void send(button, entered);
  };
  return (
    <Box title={`Configure ${button.spec?.text || nameOf(button)}`}>
      <form onSubmit={submit}>
        {inputs.map((input) => (
          <Input key={inputName(input)} input={input} value={entered[inputName(input)]} change={(value) => setEntered({ ...entered, [inputName(input)]: value })} />
        ))}
        <p class="box-actions">
          <button type="button" class="button" onClick={close}>Cancel</button>
          <button type="submit" class="button primary">Confirm &amp; Execute</button>
        </p>
      </form>
    </Box>
  );
}

function Input({ input, value, change }: { input: UIInputSpec; value: string | boolean | undefined; change: (value: string | boolean) => void }) {
  const label = inputLabel(input);
  if (input.bool) {
    return (
      <label class="check input">
        <input type="checkbox" checked={value === true} onChange={(event) => change(event.currentTarget.checked)} /> {label}
      </label>
    );
  }
  if (input.choice) {
    return (
      <label class="input">
        <span>{label}</span>
        <select class="select" value={String(value ?? "")} onChange={(event) => change(event.currentTarget.value)}>
          {(input.choice.choices ?? []).map((choice) => <option key={choice} value={choice}>{choice}</option>)}
        </select>
      </label>
    );
  }
  return (
    <label class="input">
      <span>{label}</span>
      <input type="text" placeholder={input.text?.placeholder ?? ""} value={String(value ?? "")} onInput={(event) => change(event.currentTarget.value)} />
    </label>
  );
}

export function Toasts() {
  const toasts = use((s) => s.toasts);
  return (
    <div class="toasts" role="status">
      {toasts.map((toast) => (
        <p key={toast.id} class="toast">
          {toast.text} <Link to={toast.path}>{toast.label}</Link>
          <IconButton icon="cross" label="Dismiss" onClick={() => dismiss(toast.id)} />
        </p>
      ))}
    </div>
  );
}
