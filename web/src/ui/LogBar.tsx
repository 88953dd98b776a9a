// The bar above the log: what is shown of it and how, and what can be done with it.

import { useEffect, useState } from "preact/hooks";
import { clearLog } from "../app/actions";
import { downloadPath } from "../app/api";
import { goTo, set, setLogStyle, use, type Stamps } from "../app/store";
import { plainText } from "../core/log/ansi";
import type { Term } from "../core/log/terms";
import type { LogWindow } from "../core/log/window";
import type { Row } from "../core/resources";
import { detailPath, type LogPlace } from "../core/routes";
import { Icon } from "./icons";
import { IconButton } from "./parts";

interface Props {
  name: string;
  row: Row | undefined;
  resources: readonly string[] | undefined;
  term: Term;
  view: LogWindow;
  onNext: (by: 1 | -1) => void;
}

export function LogBar({ name, resources, term, view, onNext }: Props) {
  const place = use((s) => s.place.log);
  const base = use((s) => s.place.base);
  const style = use((s) => s.logStyle);
  const isSnapshot = use((s) => s.snapshot !== undefined);
  const change = (part: Partial<LogPlace>) => goTo(detailPath(base, name, { ...place, line: undefined, ...part }), "replace");
  return (
    <div class="bar log-bar" role="toolbar" aria-label="Log">
      <Levels place={place} resources={resources} change={change} />
      <select class="select" aria-label="Source of lines" value={place.source} onChange={(event) => change({ source: event.currentTarget.value as LogPlace["source"] })}>
        <option value="">All Sources</option>
        <option value="build">Build Only</option>
        <option value="runtime">Runtime Only</option>
      </select>
      <TermBox place={place} term={term} change={change} />
      {(place.term || place.level) && (
        <select class="select" aria-label="Lines around a match" title="Lines around a match" value={String(style.context)} onChange={(event) => setLogStyle({ context: Number(event.currentTarget.value) })}>
          {[0, 1, 3, 5, 10].map((n) => (
            <option key={n} value={String(n)}>±{n}</option>
          ))}
        </select>
      )}
      <IconButton icon="up" label="Previous error (p)" onClick={() => onNext(-1)} />
      <IconButton icon="down" label="Next error (n)" onClick={() => onNext(1)} />
      <span class="bar-gap" />
      <IconButton icon="clock" label={`Timestamps: ${stampWords[style.stamps]}. Change to ${stampWords[nextStamps[style.stamps]]}`} pressed={style.stamps !== "off"} onClick={() => setLogStyle({ stamps: nextStamps[style.stamps] })} />
      <IconButton icon="history" label="Go to a time (t)" onClick={() => set({ dialog: { kind: "time" } })} />
      <IconButton icon="wrap" label="Wrap long lines" pressed={style.wrap} onClick={() => setLogStyle({ wrap: !style.wrap })} />
      <IconButton icon="braces" label="Fold JSON lines" pressed={style.json} onClick={() => setLogStyle({ json: !style.json })} />
      <span class="sizes" role="group" aria-label="Size of text">
        <button type="button" class="icon-button small-a" aria-label="Smaller text" title="Smaller text" onClick={() => setLogStyle({ scale: Math.max(0.5, style.scale - 0.05) })}>A</button>
        <button type="button" class="icon-button" aria-label="Larger text" title="Larger text" onClick={() => setLogStyle({ scale: Math.min(3, style.scale + 0.05) })}>A</button>
      </span>
      {!isSnapshot && (
        <>
          <Copy view={view} isMany={resources === undefined || resources.length !== 1} />
          <a class="icon-button" href={downloadPath(resources)} download="" title="Download the whole log" aria-label="Download the whole log">
            <Icon name="download" />
          </a>
          <IconButton icon="trash" label="Clear (Ctrl+Backspace)" onClick={() => clearLog(name)} />
        </>
      )}
    </div>
  );
}

const nextStamps: Record<Stamps, Stamps> = { off: "clock", clock: "ago", ago: "off" };
const stampWords: Record<Stamps, string> = { off: "off", clock: "time of day", ago: "how long ago" };

interface LevelsProps {
  place: LogPlace;
  resources: readonly string[] | undefined;
  change: (part: Partial<LogPlace>) => void;
}

function Levels({ place, resources, change }: LevelsProps) {
  const rows = use((s) => s.rows);
  const of = resources ? rows.filter((row) => resources.includes(row.name)) : rows;
  const sum = (key: "errors" | "warnings") => of.reduce((n, { alerts }) => n + alerts.build[key] + alerts.runtime[key], 0);
  const levels: [LogPlace["level"], string][] = [
    ["", "All Levels"],
    ["error", `Errors (${sum("errors")})`],
    ["warn", `Warnings (${sum("warnings")})`],
  ];
  return (
    <span class="toggles" role="radiogroup" aria-label="Level">
      {levels.map(([level, text]) => (
        <button key={level} type="button" role="radio" aria-checked={place.level === level} class={`toggle is-${level || "all"}`} onClick={() => change({ level, source: "" })}>
          {text}
        </button>
      ))}
    </span>
  );
}

/** How long nothing is typed before it is searched. */
const REST = 300;

function TermBox({ place, term, change }: { place: LogPlace; term: Term; change: (part: Partial<LogPlace>) => void }) {
  const [text, setText] = useState(place.term);
  useEffect(() => setText(place.term), [place.term]);
  useEffect(() => {
    if (text === place.term) return;
    const timer = setTimeout(() => change({ term: text }), REST);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <span class={`field ${term.error ? "is-bad" : ""}`}>
      <input
        type="search"
        placeholder="Filter by text or /regexp/"
        aria-label="Filter lines by text or /regexp/"
        aria-invalid={term.error !== undefined}
        title={term.error ?? ""}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") change({ term: text });
          if (event.key === "Escape") {
            change({ term: "" });
            setText("");
          }
        }}
      />
      {text && (
        <IconButton
          icon="cross"
          label="Clear the filter of lines"
          onClick={() => {
            setText("");
            change({ term: "" });
          }}
        />
      )}
    </span>
  );
}

function Copy({ view, isMany }: { view: LogWindow; isMany: boolean }) {
  const [said, setSaid] = useState("");
  const copy = () => {
    const lines = view.state.lines.all;
    const text = lines.map((line) => (isMany ? `${line.resource.padEnd(12)}┊ ` : "") + plainText(line.text)).join("\n");
    void navigator.clipboard.writeText(`${text}\n`).then(() => setSaid(`Copied ${lines.length} lines`), () => setSaid("The browser does not let us copy"));
    setTimeout(() => setSaid(""), 3000);
  };
  return (
    <span class="copy-log">
      <IconButton icon={said ? "check" : "copy"} label="Copy the lines that are loaded" onClick={copy} />
      <span class="said" role="status">{said}</span>
    </span>
  );
}
