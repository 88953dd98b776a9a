// The web socket that tells what changed: connects, and connects anew for as long as the page is open.

import type { View } from "../wire/types";
import { Refused, websocketToken } from "./api";

export type Connection = "connecting" | "connected" | "lost" | "refused";

export interface Listener {
  frame(frame: View): void;
  state(connection: Connection): void;
}

const isNear = (host: string): boolean => host === "localhost" || host === "127.0.0.1" || host === "[::1]";

/** Returns how long to wait before the next try, in milliseconds. */
export function pause(tries: number, host: string): number {
  if (tries === 0) return 0;
  return Math.min(2 ** (tries - 1) * 1000, isNear(host) ? 1500 : 10_000);
}

export function connect(listener: Listener): void {
  let tries = 0;
  let wasLive = false;
  const again = () => {
    listener.state(wasLive ? "lost" : "connecting");
    setTimeout(() => void attempt(), pause(tries, location.hostname));
    tries += 1;
  };
  const attempt = async () => {
    let token: string;
    try {
      token = await websocketToken();
    } catch (error) {
      if (error instanceof Refused) {
        // Another session has the port now; it gives the page its own key when it is loaded.
        if (wasLive) location.reload();
        else listener.state("refused");
        return;
      }
      return again();
    }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/view?csrf=${encodeURIComponent(token)}&logs=paged`);
    socket.onmessage = (event: MessageEvent<string>) => {
      tries = 0;
      wasLive = true;
      listener.frame(JSON.parse(event.data) as View);
    };
    socket.onclose = again;
  };
  void attempt();
}
