// A line cut into what is drawn: text of one style, marked or not, perhaps a link.

import { withLinks } from "../links";
import { runs, type Style } from "./ansi";
import { matches } from "./terms";

export interface Drawn {
  text: string;
  style: Style;
  isMarked: boolean;
  url: string | undefined;
}

/** Cuts a line. What is found may go over several styles. */
export function drawn(text: string, pattern: RegExp | undefined): Drawn[] {
  const styled = runs(text);
  const plain = styled.length === 1 ? styled[0]!.text : styled.map((run) => run.text).join("");
  const found = matches(plain, pattern);
  const links = linkSpans(plain);
  const out: Drawn[] = [];
  let start = 0;
  for (const run of styled) {
    const end = start + run.text.length;
    const cuts = [start, end];
    for (const [from, to] of found) cuts.push(from, to);
    for (const { from, to } of links) cuts.push(from, to);
    const inside = [...new Set(cuts.filter((cut) => cut >= start && cut <= end))].sort((a, b) => a - b);
    for (let at = 0; at + 1 < inside.length; at += 1) {
      const [from, to] = [inside[at]!, inside[at + 1]!];
      const isMarked = found.some(([a, b]) => a <= from && to <= b);
      const url = links.find((link) => link.from <= from && to <= link.to)?.url;
      out.push({ text: plain.slice(from, to), style: run.style, isMarked, url });
    }
    start = end;
  }
  return out;
}

function linkSpans(text: string): { from: number; to: number; url: string }[] {
  let at = 0;
  return withLinks(text).flatMap((piece) => {
    const from = at;
    at += piece.text.length;
    return piece.url ? [{ from, to: at, url: piece.url }] : [];
  });
}
