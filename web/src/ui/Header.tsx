// The bar at the top of every view, and what stands under it: snapshot, connection, stars.

import { set, setTheme, toggleStar, use, type Theme } from "../app/store";
import { askToNotify, useNotify } from "../app/notify";
import { navButtons, type Row } from "../core/resources";
import { ALL, STARRED, detailPath, tablePath } from "../core/routes";
import { summarize, type Status } from "../core/status";
import { CustomButton } from "./buttons";
import { Icon, StatusIcon } from "./icons";
import { IconButton, Link } from "./parts";

export function Header() {
  const base = use((s) => s.place.base);
  const view = use((s) => s.place.route.view);
  const buttons = use((s) => s.model.buttons);
  const isSnapshot = use((s) => s.snapshot !== undefined);
  return (
    <header class="header">
      <Link to={tablePath(base)} class="logo" label="Tilt: all resources in a table">
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M3 17L21 5v4L3 21zM3 11L14 3.5h6L3 15z" />
        </svg>
        <span>Tilt</span>
      </Link>
      <nav class="views" aria-label="Views">
        <Link to={tablePath(base)} label="Table" title="Table" class="icon-button" current={view === "table"}>
          <Icon name="table" />
        </Link>
        <Link to={detailPath(base, ALL)} label="Detail" title="Detail" class="icon-button" current={view === "detail"}>
          <Icon name="list" />
        </Link>
      </nav>
      <SummaryOfAll />
      <div class="header-end">
        {navButtons(buttons).map((button) => (
          <CustomButton key={button.metadata?.name} button={button} small />
        ))}
        {!isSnapshot && <SessionButtons />}
        <ThemeButton />
      </div>
    </header>
  );
}

function SummaryOfAll() {
  const rows = use((s) => s.rows);
  const base = use((s) => s.place.base);
  const sum = summarize(rows.map((row) => row.status));
  const all = (level: "warn" | "error") => detailPath(base, ALL, { level });
  return (
    <div class="summary" role="group" aria-label="Resources">
      {sum.unhealthy > 0 && (
        <button type="button" class="count is-unhealthy" title="with errors: show them all" onClick={() => set({ dialog: { kind: "errors" } })}>
          <StatusIcon status="unhealthy" label="errors" /> {sum.unhealthy}
        </button>
      )}
      {sum.warning > 0 && (
        <Link to={all("warn")} class="count is-warning" title="with warnings: show their lines">
          <StatusIcon status="warning" label="warnings" /> {sum.warning}
        </Link>
      )}
      {sum.pending > 0 && <Count status="pending" text={String(sum.pending)} title="pending" />}
      {sum.total > 0 && <Count status="healthy" text={`${sum.healthy}/${sum.total}`} title="healthy" />}
      {sum.disabled > 0 && <Count status="disabled" text={String(sum.disabled)} title="disabled" />}
    </div>
  );
}

const Count = ({ status, text, title }: { status: Status; text: string; title: string }) => (
  <span class={`count is-${status}`} title={title}>
    <StatusIcon status={status} label={title} /> {text}
  </span>
);

function SessionButtons() {
  const cluster = use((s) => s.model.clusters.get("default"));
  const version = use((s) => s.model.session?.status?.runningTiltBuild?.version ?? "");
  const canSnapshot = use((s) => !s.model.session?.status?.featureFlags?.some((flag) => flag.name === "snapshots" && flag.value === false));
  const notify = useNotify();
  const error = cluster?.status?.error;
  return (
    <>
      {cluster && (
        <IconButton icon="cluster" class={error ? "is-bad" : ""} label={error ? "Cluster: error" : "Cluster"} onClick={() => set({ dialog: { kind: "cluster" } })} />
      )}
      {version && <span class="version" title="The version of Tilt that this one is compatible with">v{version.replace(/^v/, "")}</span>}
      {notify === "default" && <IconButton icon="bell" label="Notify me when all is ready, or something fails" onClick={askToNotify} />}
      {canSnapshot && <IconButton icon="camera" label="Snapshot (s)" onClick={() => set({ dialog: { kind: "snapshot" } })} />}
      <IconButton icon="help" label="Help and keys (?)" onClick={() => set({ dialog: { kind: "help" } })} />
    </>
  );
}

const nextTheme: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

function ThemeButton() {
  const theme = use((s) => s.theme);
  const icon = theme === "light" ? "sun" : theme === "dark" ? "moon" : "auto";
  return <IconButton icon={icon} label={`Theme: ${theme}. Change to ${nextTheme[theme]}`} onClick={() => setTheme(nextTheme[theme])} />;
}

/** What is not as usual: a snapshot, a lost connection, a fatal error. */
export function Banners() {
  const snapshot = use((s) => s.snapshot);
  const started = use((s) => s.model.startTime);
  const connection = use((s) => s.connection);
  const fatal = use((s) => s.model.session?.status?.fatalError);
  const time = (text: string) => new Date(text).toLocaleString();
  return (
    <div class="banners" aria-live="polite">
      {snapshot && (
        <p class="banner is-note">
          Snapshot {snapshot.createdAt ? `(created at ${time(snapshot.createdAt)})` : `(session started at ${time(started)})`}
        </p>
      )}
      {!snapshot && connection === "connecting" && <p class="banner is-note">Connecting…</p>}
      {connection === "lost" && <p class="banner is-bad pulses">Connection failed: reconnecting…</p>}
      {fatal && (
        <p class="banner is-bad" role="alert">
          <strong>Fatal error.</strong> {fatal} Restart tilt; what is shown here is its last state.
        </p>
      )}
    </div>
  );
}

export function StarBar() {
  const stars = use((s) => s.stars);
  const rows = use((s) => s.rows);
  const base = use((s) => s.place.base);
  const starred = rows.filter((row) => stars.includes(row.name));
  if (starred.length === 0) return null;
  return (
    <nav class="stars" aria-label="Starred resources">
      <Link to={detailPath(base, STARRED)} class="pill">
        All Starred
      </Link>
      {starred.map((row) => (
        <StarPill key={row.name} row={row} base={base} />
      ))}
    </nav>
  );
}

const StarPill = ({ row, base }: { row: Row; base: string }) => (
  <span class={`pill is-${row.status} ${row.build === "building" ? "stripes" : ""}`}>
    <StarButton name={row.name} isStar />
    <Link to={detailPath(base, row.name)} class="cut">
      {row.name}
    </Link>
    <StatusIcon status={row.status} />
  </span>
);

export function StarButton({ name, isStar }: { name: string; isStar: boolean }) {
  return (
    <button type="button" class={`icon-button star ${isStar ? "is-on" : ""}`} aria-pressed={isStar} aria-label={`${isStar ? "Remove star from" : "Star"} ${name}`} title={isStar ? "Remove Star" : "Star this Resource"} onClick={() => toggleStar(name)}>
      <Icon name="star" />
    </button>
  );
}
