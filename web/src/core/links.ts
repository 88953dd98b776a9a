// Endpoints, and addresses in text.

import type { UIResourceLink } from "../wire/types";

/** Returns an address that may be opened: one of the web, and where this machine is meant as the page reached it. */
export function safeUrl(url: string, pageHost: string): string | undefined {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return undefined;
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return undefined;
  if (parsed.hostname === "0.0.0.0") parsed.hostname = pageHost;
  return parsed.href;
}

/** Returns what is shown for an endpoint. */
export function linkText(link: UIResourceLink): string {
  if (link.name) return link.name;
  return (link.url ?? "").replace(/^https?:\/\//, "").replace(/^www\./, "").replace(/\/$/, "");
}

export interface Piece {
  text: string;
  url?: string;
}

const address = /https?:\/\/[^\s<>"]+/g;

/** Cuts a text where addresses begin and end. */
export function withLinks(text: string): Piece[] {
  if (!text.includes("://")) return [{ text }];
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(address)) {
    const url = match[0].replace(/[.,;:!?)\]}'`]+$/, "");
    if (match.index > at) pieces.push({ text: text.slice(at, match.index) });
    pieces.push({ text: url, url });
    at = match.index + url.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at) });
  return pieces;
}
