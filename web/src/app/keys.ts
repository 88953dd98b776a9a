// The keys of the page. A view says which it takes while it is shown; nothing is taken while somebody types.

type Action = (event: KeyboardEvent) => void;
export type Keys = Record<string, Action>;

const layers: Keys[] = [];

/** Takes keys until what is returned is called. */
export function onKey(keys: Keys): () => void {
  layers.push(keys);
  return () => void layers.splice(layers.indexOf(keys), 1);
}

const typed = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (/^(TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable || (target instanceof HTMLInputElement && target.type !== "checkbox" && target.type !== "radio"));

/** Enter and the arrows have a meaning of their own on what is focused. */
const isOwn = (event: KeyboardEvent): boolean =>
  event.key === "Enter" && event.target instanceof HTMLElement && /^(A|BUTTON|INPUT|SUMMARY)$/.test(event.target.tagName);

/** Returns the name of a key, with what is held. */
export function keyName(event: Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): string {
  const held = event.ctrlKey || event.metaKey ? "Mod+" : event.altKey ? "Alt+" : "";
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  if (event.shiftKey && digit) return `${held}Shift+${digit}`;
  return held + event.key;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || typed(event.target) || isOwn(event) || document.querySelector("dialog[open]")) return;
  const name = keyName(event);
  for (const keys of layers.toReversed()) {
    const action = keys[name];
    if (!action) continue;
    event.preventDefault();
    action(event);
    return;
  }
});
