// One alert: what it says, why it is quiet, and where to look next.
import { createSignal, For, Show } from "solid-js";
import type { Alert } from "../../api/alertmanager";
import { href } from "../../app/router";
import { exactFilter, lookAt, quietReasons, type Quiet } from "../../lib/alerts";
import { formatAgo, formatDateTime } from "../../lib/time";
import { Badge, LabelChips } from "../../ui/States";
import { alertingPath, appPrefix } from "./paths";
import { LinkedText } from "./LinkedText";

export function AlertItem(props: { alert: Alert; others: Map<string, Alert>; onPick?: (name: string, value: string) => void }) {
  const a = () => props.alert;
  const [open, setOpen] = createSignal(false);
  const severity = () => a().labels.severity;
  const tone = () => (severity() === "critical" ? "bad" : severity() === "warning" ? "warn" : "info");
  const details = () => Object.entries(a().annotations).filter(([name]) => name !== "summary");
  return (
    <li class="alert" data-severity={severity()}>
      <div class="alert-main">
        <b>{a().labels.alertname ?? "unnamed alert"}</b>
        <Show when={severity()}><Badge tone={tone()}>{severity()}</Badge></Show>
        <For each={quietReasons(a())}>{(quiet) => <QuietMark quiet={quiet} others={props.others} />}</For>
        <span class="alert-text">{a().annotations.summary ?? a().annotations.description ?? ""}</span>
        <time class="muted" title={formatDateTime(Date.parse(a().startsAt))}>{formatAgo(Date.parse(a().startsAt))}</time>
      </div>
      <div class="alert-labels"><LabelChips labels={a().labels} skip={["alertname", "severity"]} onPick={props.onPick} /></div>
      <div class="alert-links">
        <For each={lookAt(a(), appPrefix)}>{(l) => <a class="button small" href={l.external ? l.to : href(l.to)} target={l.external ? "_blank" : undefined} rel={l.external ? "noopener noreferrer" : undefined}>{l.label}</a>}</For>
        <a class="button small" href={href(`${alertingPath("/silences/new")}?filter=${encodeURIComponent(exactFilter(a().labels))}`)}>Silence</a>
        <button class="button small" aria-expanded={open()} onClick={() => setOpen(!open())}>{open() ? "Less" : "More"}</button>
      </div>
      <Show when={open()}>
        <dl class="alert-more">
          <For each={details()}>{([name, text]) => <><dt>{name}</dt><dd><LinkedText text={text} /></dd></>}</For>
          <dt>Receivers</dt><dd>{(a().receivers ?? []).map((r) => r.name).join(", ") || "none"}</dd>
          <dt>Since</dt><dd>{formatDateTime(Date.parse(a().startsAt))}</dd>
          <dt>Last told by its source</dt><dd>{formatDateTime(Date.parse(a().updatedAt))}, ends by itself {formatAgo(Date.parse(a().endsAt))} without news</dd>
          <dt>Fingerprint</dt><dd class="mono">{a().fingerprint}</dd>
        </dl>
      </Show>
    </li>
  );
}

function QuietMark(props: { quiet: Quiet; others: Map<string, Alert> }) {
  const { kind, by } = props.quiet;
  if (kind === "silence") return <a class="badge quiet" href={href(alertingPath(`/silences/${by}`))} title="Show the silence">silenced</a>;
  if (kind === "interval") return <span class="badge quiet" title="The route is muted at this time">muted by {by}</span>;
  const source = () => props.others.get(by)?.labels.alertname;
  return <span class="badge quiet" title={`Inhibited by the alert ${by}`}>inhibited{source() ? ` by ${source()}` : ""}</span>;
}
