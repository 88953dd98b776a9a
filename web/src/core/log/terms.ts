// What the filter box asks for, and where a line has it.

export interface Term {
  /** The pattern, or nothing if all lines are wanted. */
  pattern: RegExp | undefined;
  /** What is wrong with it. */
  error: string | undefined;
}

/** Reads a text, or a regular expression between slashes; case does not matter. */
export function parseTerm(text: string): Term {
  if (text === "") return { pattern: undefined, error: undefined };
  const inner = /^\/(.+)\/$/.exec(text)?.[1];
  const source = inner ?? text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  try {
    return { pattern: new RegExp(source, "gi"), error: undefined };
  } catch (error) {
    return { pattern: undefined, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Returns where a text has the term: pairs of beginning and end. */
export function matches(text: string, pattern: RegExp | undefined): [number, number][] {
  if (!pattern) return [];
  const found: [number, number][] = [];
  for (const match of text.matchAll(pattern)) {
    if (match[0] !== "") found.push([match.index, match.index + match[0].length]);
    if (found.length >= 200) break;
  }
  return found;
}
