// What the page asks the session for.

import type { Follower, LogSource, Page } from "../core/log/source";
import { filterQuery, LineReader } from "../core/log/source";
import type { Detail, History, LogLine, LogPage, Snapshot, UIButton } from "../wire/types";
import { nameOf } from "../core/view";

/** The session refused: the page is not known to it. */
export class Refused extends Error {}

async function ask(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, { credentials: "same-origin", ...init }).catch((error: unknown) => {
    // The browser has no more to tell than that there was no answer. Who gave up knows that.
    throw init?.signal?.aborted ? error : new Error("The session does not answer. Is tilt still running?");
  });
  if (response.status === 403) throw new Refused(await response.text());
  if (!response.ok) throw new Error((await response.text()).trim() || `${response.status} ${response.statusText}`);
  return response;
}

const post = (path: string, body: unknown): Promise<Response> => ask(path, { method: "POST", body: JSON.stringify(body) });

export const websocketToken = async (): Promise<string> => (await ask("/api/websocket_token")).text();

/** Starts an update. Throws what the session says against it. */
export async function trigger(name: string): Promise<void> {
  const said = await (await post("/api/trigger", { manifest_names: [name], build_reason: 16 })).text();
  if (said) throw new Error(said);
}

export const setTriggerMode = (name: string, mode: number): Promise<Response> =>
  post("/api/override/trigger_mode", { manifest_names: [name], trigger_mode: mode });

export const click = (button: UIButton): Promise<Response> =>
  ask(`/proxy/apis/tilt.dev/v1alpha1/uibuttons/${encodeURIComponent(nameOf(button))}/status`, {
    method: "PUT",
    body: JSON.stringify(button),
  });

export const snapshot = async (id: string): Promise<Snapshot> =>
  (await ask(`/api/snapshot/${encodeURIComponent(id)}`)).json() as Promise<Snapshot>;

export const detail = async (name: string, signal: AbortSignal): Promise<Detail> =>
  (await ask(`/api/resource/${encodeURIComponent(name)}`, { signal })).json() as Promise<Detail>;

export const history = async (name: string, signal?: AbortSignal): Promise<History> =>
  (await ask(`/api/history/${encodeURIComponent(name)}`, signal ? { signal } : {})).json() as Promise<History>;

/** Gives the session a token that it knows, and gets its cookie. */
export const logIn = (token: string): Promise<Response> => ask("/api/login", { method: "POST", body: token });

/** The log of the running session. */
export const sessionLog: LogSource = {
  before(filter, before, limit, signal) {
    const query = filterQuery(filter);
    if (before < Number.MAX_SAFE_INTEGER) query.set("before", String(before));
    return page(query, limit, signal);
  },
  after(filter, from, limit, signal) {
    const query = filterQuery(filter);
    query.set("from", String(from));
    return page(query, limit, signal);
  },
  follow(filter, from, follower) {
    const query = filterQuery(filter);
    query.set("from", String(from));
    query.set("follow", "true");
    const stop = new AbortController();
    void followed(`/api/log?${query}`, follower, stop.signal);
    return () => stop.abort();
  },
};

async function page(query: URLSearchParams, limit: number, signal: AbortSignal | undefined): Promise<Page> {
  query.set("limit", String(limit));
  const text = await (await ask(`/api/log?${query}`, signal ? { signal } : {})).text();
  const lines = text.split("\n").filter(Boolean);
  const facts = JSON.parse(lines.pop() ?? "{}") as LogPage;
  return { ...facts, lines: lines.map((line) => JSON.parse(line) as LogLine) };
}

async function followed(path: string, follower: Follower, signal: AbortSignal): Promise<void> {
  try {
    const response = await ask(path, { signal });
    const reader = response.body!.getReader();
    const lines = new LineReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      follower.lines(lines.take(value) as LogLine[]);
    }
  } catch {
    // That it ended is all that can be told.
  }
  if (!signal.aborted) follower.ended();
}

/** Returns where the whole log can be had as a file. */
export function downloadPath(resources: readonly string[] | undefined): string {
  const query = new URLSearchParams((resources ?? []).map((name) => ["resource", name]));
  return `/api/log.txt?${query}`;
}
