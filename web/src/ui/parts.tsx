// Small parts that many views use.

import type { ComponentChildren } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { linkText, safeUrl } from "../core/links";
import { ago, millis } from "../core/time";
import { goTo } from "../app/store";
import type { UIResourceLink } from "../wire/types";
import { Icon, type IconName } from "./icons";

interface LinkProps {
  to: string;
  class?: string;
  label?: string;
  title?: string;
  current?: boolean;
  description?: string;
  /** Called when it is pointed at or focused, and when that ends. */
  onLook?: (looks: boolean) => void;
  children: ComponentChildren;
}

/** A link within the page. */
export function Link({ to, label, current, description, onLook, children, ...rest }: LinkProps) {
  const open = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    goTo(to);
  };
  return (
    <a href={to} onClick={open} aria-label={label} aria-description={description || undefined} aria-current={current ? "page" : undefined} onPointerEnter={onLook && (() => onLook(true))} onPointerLeave={onLook && (() => onLook(false))} onFocus={onLook && (() => onLook(true))} onBlur={onLook && (() => onLook(false))} {...rest}>
      {children}
    </a>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  pressed?: boolean;
  disabled?: boolean;
  class?: string;
  text?: string;
}

export function IconButton({ icon, label, onClick, pressed, disabled, class: of = "", text }: IconButtonProps) {
  return (
    <button type="button" class={`icon-button ${of}`} title={label} aria-label={label} aria-pressed={pressed} disabled={disabled} onClick={onClick}>
      <Icon name={icon} />
      {text && <span>{text}</span>}
    </button>
  );
}

/** Copies a text; a check mark says that it did. */
export function CopyButton({ text, label, shown }: { text: string; label: string; shown?: string }) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return;
    const timer = setTimeout(() => setDone(false), 3000);
    return () => clearTimeout(timer);
  }, [isDone]);
  const copy = () => void navigator.clipboard.writeText(text).then(() => setDone(true), () => {});
  return (
    <button type="button" class="icon-button copy" title={label} aria-label={isDone ? "copied" : label} onClick={copy}>
      <Icon name={isDone ? "check" : "copy"} />
      {shown && <span>{shown}</span>}
    </button>
  );
}

const tickers = new Set<() => void>();
setInterval(() => {
  for (const tick of tickers) tick();
}, 5000);

/** How long ago something was; it moves on by itself. */
export function Ago({ time }: { time: string | null | undefined }) {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const tick = () => draw(undefined as never);
    tickers.add(tick);
    return () => void tickers.delete(tick);
  }, []);
  const then = millis(time);
  return then === undefined ? <span class="dim">—</span> : <time dateTime={time ?? ""} title={new Date(then).toLocaleString()}>{ago(time, Date.now())}</time>;
}

export function Endpoint({ link }: { link: UIResourceLink }) {
  const text = linkText(link);
  const url = safeUrl(link.url ?? "", location.hostname);
  if (!url) return <span class="dim" title={link.url ?? ""}>{text}</span>;
  return (
    <a class="endpoint" href={url} target={url} rel="noopener noreferrer" title={url}>
      {text}
    </a>
  );
}

/** A text of which only the beginning is shown; all of it is its title. */
export const Cut = ({ text, class: of = "" }: { text: string; class?: string }) => (
  <span class={`cut ${of}`} title={text}>
    {text.length > 300 ? `${text.slice(0, 299)}…` : text}
  </span>
);
