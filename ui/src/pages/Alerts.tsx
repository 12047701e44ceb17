// Alerts as they are routed: groups of the alert manager, with filters and a way to silence.
import { createMemo, For, Show } from "solid-js";
import { alertGroups, type Alert } from "../api/alertmanager";
import { href, location, setQuery } from "../app/router";
import { service } from "../app/service";
import { formatMatcher, parseMatchers } from "../lib/matchers";
import { formatAgo, formatDateTime } from "../lib/time";
import { AlertTabs } from "../ui/AlertTabs";
import { Badge, Empty, ErrorState, LabelChips, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";
import { createEffect, on } from "solid-js";

const POLL_MS = 10_000;

export default function Alerts() {
  const query = () => location().query;
  const filterText = () => query().get("filter") ?? "";
  const matchers = createMemo(() => parseMatchers(filterText()));
  const flag = (name: string) => query().get(name) === "true";
  const list = usePolled(() => alertGroups({ filter: (matchers() ?? []).map(formatMatcher), silenced: flag("silenced"), inhibited: flag("inhibited"), muted: flag("muted"), active: true }), POLL_MS);
  createEffect(on([filterText, () => flag("silenced"), () => flag("inhibited")], () => void list.reload(), { defer: true }));
  const total = () => new Set((list.data() ?? []).flatMap((g) => g.alerts.map((a) => a.fingerprint))).size;
  const pick = (name: string, value: string) => {
    const added = [...(matchers() ?? []).map(formatMatcher), formatMatcher({ name, value, isRegex: false, isEqual: true })];
    setQuery({ filter: `{${[...new Set(added)].join(",")}}` });
  };
  const silenceHref = (a: Alert) => href(`${service === "grafana" ? "/alerting/silences" : "/silences/new"}?filter=${encodeURIComponent(`{${Object.entries(a.labels).map(([name, value]) => formatMatcher({ name, value, isRegex: false, isEqual: true })).join(",")}}`)}`);
  return (
    <div class="page">
      <PageHeader title="Alerts" detail={<><AlertTabs /><Show when={list.data()}><span class="muted">{total()} {total() === 1 ? "alert" : "alerts"}</span></Show></>}>
        <label class="toggle"><input type="checkbox" checked={flag("silenced")} onChange={(e) => setQuery({ silenced: e.currentTarget.checked ? "true" : undefined })} /> Silenced</label>
        <label class="toggle"><input type="checkbox" checked={flag("inhibited")} onChange={(e) => setQuery({ inhibited: e.currentTarget.checked ? "true" : undefined })} /> Inhibited</label>
        <input class="search mono" type="search" placeholder='severity="critical", job=~"node.*"' aria-label="Filter by matchers" aria-invalid={matchers() === null} value={filterText().replace(/^\{|\}$/g, "")} onChange={(e) => setQuery({ filter: e.currentTarget.value ? `{${e.currentTarget.value}}` : undefined })} />
      </PageHeader>
      <Show when={matchers() === null}><p class="problem" role="alert">The filter is not readable. Write matchers such as severity="critical", separated by commas.</p></Show>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="alerts" /></Show>}>
        <Show when={total() > 0} fallback={<Empty title={filterText() ? "No alert matches the filter." : "Nothing is firing."}><Show when={!filterText()}>Alerts appear here as soon as a rule fires.</Show></Empty>}>
          <For each={list.data()}>
            {(g) => (
              <section class="list-section">
                <h2><Show when={Object.keys(g.labels).length} fallback={<span class="muted">Not grouped</span>}><LabelChips labels={g.labels} onPick={pick} /></Show> <span class="muted small">to {g.receiver.name} · {g.alerts.length}</span></h2>
                <ul class="alerts">
                  <For each={g.alerts}>
                    {(a) => (
                      <li class="alert" data-severity={a.labels.severity}>
                        <div class="alert-main">
                          <b>{a.labels.alertname ?? "unnamed alert"}</b>
                          <Show when={a.labels.severity}><Badge tone={a.labels.severity === "critical" ? "bad" : a.labels.severity === "warning" ? "warn" : "info"}>{a.labels.severity}</Badge></Show>
                          <Show when={a.status.state === "suppressed"}><Badge tone="quiet">{a.status.silencedBy.length ? "silenced" : a.status.inhibitedBy.length ? "inhibited" : "muted"}</Badge></Show>
                          <span class="alert-text">{a.annotations.summary ?? a.annotations.description ?? ""}</span>
                          <time class="muted" title={formatDateTime(Date.parse(a.startsAt))}>{formatAgo(Date.parse(a.startsAt))}</time>
                          <a class="button small" href={silenceHref(a)}>Silence</a>
                        </div>
                        <div class="alert-labels"><LabelChips labels={a.labels} skip={["alertname", "severity"]} onPick={pick} /></div>
                      </li>
                    )}
                  </For>
                </ul>
              </section>
            )}
          </For>
        </Show>
      </Show>
    </div>
  );
}
