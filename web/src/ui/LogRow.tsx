// One line of the log.

import { memo } from "./memo";
import { useMemo, useState } from "preact/hooks";
import { goTo, use } from "../app/store";
import { cubeColour, plainText, type Style } from "../core/log/ansi";
import { structured, unfolded } from "../core/log/json";
import type { Line } from "../core/log/lines";
import { drawn } from "../core/log/pieces";
import { detailPath } from "../core/routes";
import { before, clock } from "../core/time";
import type { Stamps } from "../app/store";
import { Icon } from "./icons";
import { Link } from "./parts";

interface Props {
  line: Line;
  isFirstOfSource: boolean;
  isMany: boolean;
  isTarget: boolean;
  pattern: RegExp | undefined;
  stamps: Stamps;
  json: boolean;
  now: number;
  /** The day, in words, where another one begins with this line. */
  day: string | undefined;
  /** A link to this line. */
  path: string;
}

/** A longer line is shown in part until all of it is asked for. */
const LONG = 8000;

export const LogRow = memo(function LogRow({ line, isFirstOfSource, isMany, isTarget, pattern, stamps, json, now, day, path }: Props) {
  const of = [
    "line",
    `is-${line.level}`,
    line.startsUpdate ? "starts-update" : "",
    line.isContext ? "is-context" : "",
    isTarget ? "is-target" : "",
    isFirstOfSource ? "is-first" : "",
  ];
  return (
    <>
      {day && <p class="line-day">{day}</p>}
      {line.afterGap && <More line={line} />}
      <div class={of.join(" ")} data-position={line.position}>
        <a
          class="line-link"
          href={path}
          aria-label={`Link to line ${line.position}`}
          title={`${new Date(line.time).toLocaleString()} · link to this line`}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            goTo(path, "replace");
          }}
        >
          {stamps === "clock" ? clock(line.time) : stamps === "ago" ? before(line.time, now) : <Icon name="link" />}
        </a>
        {isMany && (
          <span class="line-source cut" title={line.resource || "(global)"}>
            {isFirstOfSource ? line.resource || "(global)" : ""}
          </span>
        )}
        <span class="line-text">
          <Text line={line} pattern={pattern} json={json} />
          {line.startsUpdate && isMany ? <span class="dim"> • {line.resource}</span> : null}
        </span>
      </div>
    </>
  );
});

/** Leads to what is left out before a line. */
function More({ line }: { line: Line }) {
  const base = use((s) => s.place.base);
  return (
    <Link to={detailPath(base, line.resource || "(all)", { line: line.position })} class="more" label={`Lines before line ${line.position}, without the filter`}>
      … (more) …
    </Link>
  );
}

function Text({ line, pattern, json }: { line: Line; pattern: RegExp | undefined; json: boolean }) {
  const [isWhole, setWhole] = useState(false);
  const object = useMemo(() => (json && line.text.includes("{") ? structured(plainText(line.text)) : undefined), [line.text, json]);
  const text = !isWhole && line.text.length > LONG ? line.text.slice(0, LONG) : line.text;
  const pieces = useMemo(() => (object ? [] : drawn(text, pattern)), [text, pattern, object]);
  if (object) return <Structured line={line} object={object} pattern={pattern} />;
  return (
    <>
      {pieces.map((piece, at) => {
        const body = piece.isMarked ? <mark>{piece.text}</mark> : piece.text;
        const of = styleClass(piece.style);
        const inner = piece.url ? (
          <a href={piece.url} target="_blank" rel="noopener noreferrer">
            {body}
          </a>
        ) : (
          body
        );
        return of || hasColour(piece.style) ? (
          <span key={at} class={of} style={colours(piece.style)}>
            {inner}
          </span>
        ) : (
          <span key={at}>{inner}</span>
        );
      })}
      {text.length < line.text.length && (
        <button type="button" class="link" onClick={() => setWhole(true)}>
          … all {line.text.length.toLocaleString()} characters
        </button>
      )}
    </>
  );
}

const flags = ["bold", "dim", "italic", "underline", "strike", "inverse", "hidden"] as const;

function styleClass(style: Style): string {
  const of: string[] = flags.filter((flag) => style[flag]).map((flag) => `t-${flag}`);
  if (typeof style.fg === "number" && style.fg < 16) of.push(`fg-${style.fg}`);
  if (typeof style.bg === "number" && style.bg < 16) of.push(`bg-${style.bg}`);
  return of.join(" ");
}

const inCube = (colour: number | string | undefined): string | undefined =>
  typeof colour === "string" ? colour : colour !== undefined && colour >= 16 ? cubeColour(colour) : undefined;

const hasColour = (style: Style): boolean => inCube(style.fg) !== undefined || inCube(style.bg) !== undefined;

function colours(style: Style): Record<string, string> {
  const out: Record<string, string> = {};
  const [fg, bg] = [inCube(style.fg), inCube(style.bg)];
  if (fg) out["color"] = fg;
  if (bg) out["backgroundColor"] = bg;
  return out;
}

function Structured({ line, object, pattern }: { line: Line; object: NonNullable<ReturnType<typeof structured>>; pattern: RegExp | undefined }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <span class="json">
      <button type="button" class="json-fold" aria-expanded={isOpen} aria-label={isOpen ? "Fold" : "Unfold"} onClick={() => setOpen(!isOpen)}>
        <Icon name={isOpen ? "down" : "right"} />
      </button>
      {object.level && <span class={`json-level is-${levelOf(object.level)}`}>{object.level}</span>}
      {object.message && <Marked text={object.message} pattern={pattern} />}
      {!isOpen &&
        object.fields.map(([key, value]) => (
          <span key={key} class="json-field">
            {key}=<Marked text={value} pattern={pattern} />
          </span>
        ))}
      {isOpen && <span class="json-whole">{unfolded(object.value)}</span>}
      {!object.level && !object.message && object.fields.length === 0 && line.text}
    </span>
  );
}

const levelOf = (level: string): string => (/^(err|error|fatal|critical|panic|[45]0)$/.test(level) ? "error" : /^warn/.test(level) ? "warn" : "info");

function Marked({ text, pattern }: { text: string; pattern: RegExp | undefined }) {
  const pieces = drawn(text, pattern);
  return (
    <>
      {pieces.map((piece, at) => (piece.isMarked ? <mark key={at}>{piece.text}</mark> : piece.url ? <a key={at} href={piece.url} target="_blank" rel="noopener noreferrer">{piece.text}</a> : piece.text))}
    </>
  );
}
