// Times and durations as the page says them.

/** Returns milliseconds, or `undefined` for a time that is not set. */
export function millis(time: string | null | undefined): number | undefined {
  if (!time || time.startsWith("0001-")) return undefined;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Says how long ago something was. */
export function ago(time: string | null | undefined, now: number): string {
  const then = millis(time);
  if (then === undefined) return "";
  const s = Math.max(0, (now - then) / 1000);
  for (const limit of [5, 15, 30, 45]) if (s < limit) return `<${limit}s ago`;
  if (s < 60) return "<1m ago";
  if (s < 3600) return `${Math.floor(s / 60)}m ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ago`;
  return `${Math.floor(s / 86_400)}d ago`;
}

/** Says how long something took. */
export function took(from: string | null | undefined, to: string | null | undefined): string {
  const [a, b] = [millis(from), millis(to)];
  return a === undefined || b === undefined ? "" : duration(b - a);
}

export function duration(ms: number): string {
  const s = Math.max(0, ms / 1000);
  if (s < 9.95) return `${s.toFixed(1)}s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole}s`;
  const m = Math.round(s / 60);
  return m < 60 ? `${m}m` : `${Math.round(s / 3600)}h`;
}

const pad = (n: number, digits = 2) => String(n).padStart(digits, "0");

/** Returns the time of day, to the millisecond. */
export function clock(ms: number): string {
  const d = new Date(ms);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}.${pad(d.getMilliseconds(), 3)}`;
}

/** Returns the day of a time, in words. */
export const day = (ms: number): string => new Date(ms).toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });

/** Returns whether two times are of one day. */
export const isSameDay = (a: number, b: number): boolean => new Date(a).toDateString() === new Date(b).toDateString();

/** Returns a time as a field for date and time takes it. */
export function fieldTime(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

/** Says how long before `now` a line was said. */
export function before(ms: number, now: number): string {
  const s = Math.max(0, Math.floor((now - ms) / 1000));
  if (s < 60) return `-${s}s`;
  if (s < 3600) return `-${Math.floor(s / 60)}m${pad(s % 60)}s`;
  return `-${Math.floor(s / 3600)}h${pad(Math.floor((s % 3600) / 60))}m`;
}

/** Returns a time for the name of a file. */
export function fileTime(d: Date): string {
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}_${pad(d.getHours())}${pad(d.getMinutes())}${pad(d.getSeconds())}`;
}
