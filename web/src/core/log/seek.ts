// Finds the place of a time in the log.

import type { Filter, LogSource } from "./source";

const all: Filter = { resources: undefined, level: "", source: "", term: "", context: 0 };

/**
 * Returns the position of the first line that was said at a time, in milliseconds, or after it; that after the last line if none was.
 * Lines stand in the order in which they came, so it is looked for in the middle of what is left, again and again.
 */
export async function positionAt(log: LogSource, time: number, signal?: AbortSignal): Promise<number> {
  const { first, to } = await log.before(all, Number.MAX_SAFE_INTEGER, 1, signal);
  let [low, high] = [first, to];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const line = (await log.after(all, middle, 1, signal)).lines[0];
    if (line && line.t / 1000 < time) low = line.p + 1;
    else high = middle;
  }
  return low;
}
