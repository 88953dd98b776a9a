// Colours and styles in output, and the text without them. Whatever else rules a terminal is left out.

export interface Style {
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  strike?: boolean;
  inverse?: boolean;
  hidden?: boolean;
  /** A colour's number from 0 to 255, or `#rrggbb`. */
  fg?: number | string;
  bg?: number | string;
}

export interface Run {
  text: string;
  style: Style;
}

// eslint-disable-next-line no-control-regex
const sequence = /\x1b\[([0-9;:]*)m|\x1b\[[\x20-\x3f]*[\x40-\x7e]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b[\x20-\x2f]*[\x30-\x7e]?|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\x80-\x9f]/g;

/** Returns the text without anything that rules a terminal. */
export function plainText(text: string): string {
  return hasControls(text) ? lastState(text).replace(sequence, "") : text;
}

/** Returns the text cut where its style changes. */
export function runs(text: string): Run[] {
  if (!hasControls(text)) return [{ text, style: {} }];
  const shown = lastState(text);
  const out: Run[] = [];
  let [style, at]: [Style, number] = [{}, 0];
  const take = (to: number) => {
    if (to > at) out.push({ text: shown.slice(at, to), style });
  };
  for (const match of shown.matchAll(sequence)) {
    take(match.index);
    at = match.index + match[0].length;
    if (match[1] !== undefined) style = after(style, match[1]);
  }
  take(shown.length);
  return joined(out);
}

// eslint-disable-next-line no-control-regex
const control = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/;
const hasControls = (text: string): boolean => control.test(text);

/** Of a line that is overwritten with carriage returns, what it is at its end. */
function lastState(text: string): string {
  const line = text.replace(/[\r\n]+$/, "");
  const at = line.lastIndexOf("\r");
  return at < 0 ? line : line.slice(at + 1);
}

function joined(all: Run[]): Run[] {
  const out: Run[] = [];
  for (const run of all) {
    const last = out.at(-1);
    if (last && last.style === run.style) last.text += run.text;
    else out.push({ ...run });
  }
  return out;
}

const on: Record<number, keyof Style> = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 8: "hidden", 9: "strike" };
const off: Record<number, (keyof Style)[]> = {
  22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 28: ["hidden"], 29: ["strike"], 39: ["fg"], 49: ["bg"],
};

function after(before: Style, codes: string): Style {
  const numbers = codes.split(/[;:]/).map(Number);
  let style: Style = { ...before };
  for (let at = 0; at < numbers.length; at += 1) {
    const code = numbers[at]!;
    const flag = on[code];
    if (code === 0) style = {};
    else if (flag) style = { ...style, [flag]: true };
    else if (off[code]) for (const key of off[code]) delete style[key];
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 90 && code <= 97) style.fg = code - 90 + 8;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 100 && code <= 107) style.bg = code - 100 + 8;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(numbers.slice(at + 1));
      at += used;
      if (colour !== undefined) style[code === 38 ? "fg" : "bg"] = colour;
    }
  }
  return style;
}

/** Reads a colour of the 256, or of red, green and blue; returns how many numbers it took. */
function extended(rest: number[]): [number | string | undefined, number] {
  if (rest[0] === 5) return [inByte(rest[1]), 2];
  if (rest[0] !== 2) return [undefined, 0];
  const [r, g, b] = [inByte(rest[1]), inByte(rest[2]), inByte(rest[3])];
  if (r === undefined || g === undefined || b === undefined) return [undefined, 4];
  return [`#${[r, g, b].map((n) => n.toString(16).padStart(2, "0")).join("")}`, 4];
}

const inByte = (n: number | undefined): number | undefined => (n !== undefined && n >= 0 && n <= 255 ? Math.floor(n) : undefined);

/** Returns the colour of a number from 16 to 255. Those below are the theme's. */
export function cubeColour(n: number): string {
  if (n >= 232) {
    const level = (n - 232) * 10 + 8;
    return `rgb(${level},${level},${level})`;
  }
  const at = n - 16;
  const level = (x: number) => (x === 0 ? 0 : 55 + x * 40);
  return `rgb(${level(Math.floor(at / 36))},${level(Math.floor(at / 6) % 6)},${level(at % 6)})`;
}
