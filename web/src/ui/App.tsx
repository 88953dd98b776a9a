// The whole page.

import { useEffect, useMemo } from "preact/hooks";
import { onKey } from "../app/keys";
import { notify } from "../app/notify";
import { get, set, use } from "../app/store";
import { summarize, title } from "../core/status";
import { Detail } from "./Detail";
import { Dialogs, Toasts } from "./Dialogs";
import { Banners, Header, StarBar } from "./Header";
import { Login } from "./Login";
import { Table } from "./Table";

export function App() {
  const route = use((s) => s.place.route);
  const connection = use((s) => s.connection);
  const isLoaded = use((s) => s.model.startTime !== "");
  const error = use((s) => s.snapshotError);
  usePageKeys();
  useTitle();
  if (connection === "refused") return <Login />;
  if (error) return <Hero text={`The snapshot cannot be shown: ${error}`} />;
  if (!isLoaded) return <Hero text="Loading…" />;
  return (
    <>
      <Header />
      <Banners />
      <StarBar />
      {route.view === "table" ? <Table /> : <Detail name={route.name} />}
      <Dialogs />
      <Toasts />
    </>
  );
}

const Hero = ({ text }: { text: string }) => (
  <main class="hero">
    <p role="status">{text}</p>
  </main>
);

function usePageKeys(): void {
  useEffect(() => {
    const isSnapshot = () => get().snapshot !== undefined;
    return onKey({
      "?": () => set({ dialog: { kind: "help" } }),
      s: () => {
        if (!isSnapshot()) set({ dialog: { kind: "snapshot" } });
      },
      "/": () => document.getElementById("name-filter")?.focus(),
    });
  }, []);
}

const colours = { green: "#20ba31", gray: "#7a8b95", red: "#f6685c" };

/** The title and the icon of the window say how all is. */
function useTitle(): void {
  const rows = use((s) => s.rows);
  const connection = use((s) => s.connection);
  const isSnapshot = use((s) => s.snapshot !== undefined);
  const theme = use((s) => s.theme);
  const sum = useMemo(() => summarize(rows.map((row) => row.status)), [rows]);
  const { text, colour } = title(sum, connection === "connected", isSnapshot);
  useEffect(() => {
    document.title = text;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="${colours[colour]}" d="M3 17L21 5v4L3 21zM3 11L14 3.5h6L3 15z"/></svg>`;
    document.getElementById("favicon")?.setAttribute("href", `data:image/svg+xml,${encodeURIComponent(svg)}`);
  }, [text, colour]);
  useEffect(() => {
    if (rows.length > 0 && !isSnapshot) notify(sum);
  }, [sum]);
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
  }, [theme]);
}
