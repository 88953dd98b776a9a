// Starts the page: a snapshot if the path says so, else the running session.

import { render } from "preact";
import { snapshot } from "./app/api";
import { connect } from "./app/connection";
import { get, set, takeFrame, takeSnapshot } from "./app/store";
import { App } from "./ui/App";
import "./styles/page.css";
import "./styles/table.css";
import "./styles/detail.css";
import "./styles/log.css";

const id = /^\/snapshot\/([^/]+)/.exec(get().place.base)?.[1];
if (id) {
  snapshot(decodeURIComponent(id))
    .then(takeSnapshot)
    .catch((error: unknown) => set({ snapshotError: error instanceof Error ? error.message : String(error) }));
} else {
  connect({ frame: takeFrame, state: (connection) => set({ connection }) });
}
render(<App />, document.getElementById("app")!);
