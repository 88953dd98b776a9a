// What was said beside an error: the last lines, without those that are in the error itself.

/** Returns the last of these lines that an error does not say, at most so many. */
export function besideError(lines: readonly string[], error: string, count: number): string[] {
  const said = new Set(error.split("\n").map((line) => line.trim()));
  const isNews = (line: string) => line.trim() !== "" && !said.has(line.trim().replace(/^Build Failed: /, ""));
  return lines.filter(isNews).slice(-count);
}
