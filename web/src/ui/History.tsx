// The last updates of a resource: why each began, and where its time went.

import { useEffect, useState } from "preact/hooks";
import { history } from "../app/api";
import { use } from "../app/store";
import { causeText, resultStatus, spans, tookAll, waitText } from "../core/history";
import type { Row } from "../core/resources";
import { detailPath } from "../core/routes";
import type { History, Update } from "../wire/types";
import { StatusIcon } from "./icons";
import { Ago, Cut, Link } from "./parts";

/** How many updates are shown. */
const SHOWN = 6;

/** Asks for the history, and again when the resource changed. */
export function useHistory(row: Row): History | undefined {
  const isSnapshot = use((s) => s.snapshot !== undefined);
  const [found, setFound] = useState<History>();
  useEffect(() => {
    if (isSnapshot) return;
    const stop = new AbortController();
    history(row.name, stop.signal).then(setFound, () => {});
    return () => stop.abort();
  }, [row, isSnapshot]);
  return found?.resource === row.name ? found : undefined;
}

export function Updates({ found }: { found: History }) {
  const now = Date.now();
  const waiting = found.waiting?.at(-1);
  return (
    <div class="fact is-wide">
      <h2>Updates</h2>
      {waiting && (
        <p>
          <StatusIcon status="pending" /> the next one waits for {waitText(waiting, now)}
        </p>
      )}
      <ul>
        {(found.updates ?? []).slice(0, SHOWN).map((update) => (
          <UpdateLine key={update.number} update={update} now={now} />
        ))}
      </ul>
    </div>
  );
}

function UpdateLine({ update, now }: { update: Update; now: number }) {
  const base = use((s) => s.place.base);
  const from = update.logs?.[0]?.from;
  const time = update.ended ?? update.started;
  const why = update.causes.map(causeText).join("; ");
  const parts = spans(update, now).filter((span) => span.milliseconds >= 5);
  const whole = parts.reduce((sum, span) => sum + span.milliseconds, 0);
  return (
    <li class="update">
      <span class="update-head">
        <StatusIcon status={resultStatus(update)} label={update.outcome.result} />
        {from === undefined ? <Ago time={time} /> : <Link to={detailPath(base, update.resource, { line: from })} title="Its lines in the log"><Ago time={time} /></Link>}
        <span>{tookAll(update, now)}</span>
        <Cut text={why} class="dim" />
      </span>
      {whole > 0 && (
        <span class="spans" role="img" aria-label={parts.map((span) => span.text).join(", ")} title={parts.map((span) => span.text).join("\n")}>
          {parts.map((span, at) => (
            <span key={at} class={span.isWait ? "span is-wait" : `span of-${at % 4}`} style={{ width: `${(100 * span.milliseconds) / whole}%` }}>
              {span.text}
            </span>
          ))}
        </span>
      )}
      {update.outcome.message && <Cut text={update.outcome.message} class="is-unhealthy" />}
    </li>
  );
}
