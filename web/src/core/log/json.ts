// Lines that are JSON objects, as structured logs write them: a summary that can be read, and the whole when it is unfolded.

export interface Structured {
  level: string;
  message: string;
  /** The other fields of the top, in short. */
  fields: [string, string][];
  value: Record<string, unknown>;
}

const messageKeys = ["msg", "message", "event", "@m", "text"];
const levelKeys = ["level", "lvl", "severity", "levelname", "log.level", "@l"];
const timeKeys = new Set(["time", "ts", "timestamp", "@timestamp", "@t"]);
const LONGEST = 200_000;

/** Reads a line, or returns nothing if it is no JSON object. */
export function structured(text: string): Structured | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith("{") || !trimmed.endsWith("}") || trimmed.length > LONGEST) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(trimmed);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const object = value as Record<string, unknown>;
  const take = (keys: string[]) => keys.find((key) => typeof object[key] === "string" || typeof object[key] === "number");
  const [message, level] = [take(messageKeys), take(levelKeys)];
  const fields = Object.entries(object)
    .filter(([key]) => key !== message && key !== level && !timeKeys.has(key))
    .map(([key, field]): [string, string] => [key, short(field)]);
  return {
    level: level ? String(object[level]).toLowerCase() : "",
    message: message ? String(object[message]) : "",
    fields,
    value: object,
  };
}

function short(field: unknown): string {
  const text = typeof field === "string" ? field : (JSON.stringify(field) ?? "");
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** Returns the whole, indented. */
export const unfolded = (value: unknown): string => JSON.stringify(value, null, 2);
