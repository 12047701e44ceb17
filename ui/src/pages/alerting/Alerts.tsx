// Alerts as they are routed: in groups, with what mutes them, and the way from each to its graph, logs and traces.
import { createEffect, createMemo, For, on, Show } from "solid-js";
import "./alerting.css";
import { alertGroups, receivers } from "../../api/alertmanager";
import { location, setQuery } from "../../app/router";
import { bySeverity, sections } from "../../lib/alerts";
import { formatMatcher, parseMatchers } from "../../lib/matchers";
import { AlertTabs } from "../../ui/AlertTabs";
import { Empty, ErrorState, LabelChips, Loading } from "../../ui/States";
import { PageHeader } from "../../ui/PageHeader";
import { usePolled } from "../../ui/usePolled";
import { AlertItem } from "./AlertItem";

const POLL_MS = 10_000;
/** Alerts of one group that are drawn at once; the rest waits behind a button. */
const SHOWN_MAX = 50;
const quietKinds = ["silenced", "inhibited", "muted"] as const;

export default function Alerts() {
  const query = () => location().query;
  const filterText = () => query().get("filter") ?? "";
  const matchers = createMemo(() => parseMatchers(filterText()));
  const flag = (name: string) => query().get(name) === "true";
  const receiver = () => query().get("receiver") ?? "";
  const grouping = () => (query().get("customGrouping") === "true" ? (query().get("group") ?? "").split(",").map((s) => s.trim()).filter(Boolean) : []);
  const list = usePolled(
    () => alertGroups({ filter: (matchers() ?? []).map(formatMatcher), silenced: flag("silenced"), inhibited: flag("inhibited"), muted: flag("muted"), active: query().get("active") !== "false", receiver: receiver() ? `^(?:${receiver().replace(/[.*+?^${}()|[\]\\]/g, "\\$&")})$` : undefined }),
    POLL_MS,
  );
  const names = usePolled(receivers);
  createEffect(on([filterText, receiver, () => query().get("active"), ...quietKinds.map((k) => () => flag(k))], () => void list.reload(), { defer: true }));
  const shown = createMemo(() => sections(list.data() ?? [], grouping()));
  const byFingerprint = createMemo(() => new Map((list.data() ?? []).flatMap((g) => g.alerts.map((a) => [a.fingerprint, a] as const))));
  const pick = (name: string, value: string) => {
    const added = [...(matchers() ?? []).map(formatMatcher), formatMatcher({ name, value, isRegex: false, isEqual: true })];
    setQuery({ filter: `{${[...new Set(added)].join(",")}}` });
  };
  const toggle = (name: string, on: boolean) => setQuery({ [name]: on ? "true" : undefined });
  return (
    <div class="page">
      <PageHeader title="Alerts" detail={<><AlertTabs /><Show when={list.data()}><span class="muted">{byFingerprint().size} {byFingerprint().size === 1 ? "alert" : "alerts"}</span></Show></>}>
        <label class="toggle" title="Neither silenced, nor inhibited, nor muted"><input type="checkbox" checked={query().get("active") !== "false"} onChange={(e) => setQuery({ active: e.currentTarget.checked ? undefined : "false" })} /> Active</label>
        <For each={quietKinds}>{(kind) => <label class="toggle"><input type="checkbox" checked={flag(kind)} onChange={(e) => toggle(kind, e.currentTarget.checked)} /> {kind[0]!.toUpperCase() + kind.slice(1)}</label>}</For>
        <select class="button" aria-label="Receiver" value={receiver()} onChange={(e) => setQuery({ receiver: e.currentTarget.value })}>
          <option value="">All receivers</option>
          <For each={names.data() ?? []}>{(r) => <option value={r.name} selected={r.name === receiver()}>{r.name}</option>}</For>
        </select>
        <input class="search labels" type="search" placeholder="Group by labels" title="Labels separated by commas; empty: as the routes group" aria-label="Group by labels" value={grouping().join(", ")} onChange={(e) => setQuery({ customGrouping: e.currentTarget.value.trim() ? "true" : undefined, group: e.currentTarget.value.replaceAll(" ", "") })} />
        <input class="search mono" type="search" placeholder='severity="critical", job=~"node.*"' aria-label="Filter by matchers" aria-invalid={matchers() === null} value={filterText().replace(/^\{|\}$/g, "")} onChange={(e) => setQuery({ filter: e.currentTarget.value ? `{${e.currentTarget.value}}` : undefined })} />
      </PageHeader>
      <Show when={matchers() === null}><p class="problem" role="alert">The filter is not readable. Write matchers such as severity="critical", separated by commas.</p></Show>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="alerts" /></Show>}>
        <Show when={shown().length > 0} fallback={<Empty title={filterText() || receiver() ? "No alert matches." : "Nothing is firing."}><Show when={!filterText()} fallback={<button class="button" onClick={() => setQuery({ filter: undefined, receiver: undefined })}>Show all</button>}>Alerts appear here as soon as a rule fires{flag("silenced") ? "" : "; silenced, inhibited and muted ones only when asked for"}.</Show></Empty>}>
          <For each={shown()}>
            {(g) => {
              const all = () => query().getAll("expand").includes(g.key);
              const alerts = createMemo(() => [...g.alerts].sort(bySeverity));
              return (
                <section class="list-section">
                  <h2>
                    <Show when={Object.keys(g.labels).length} fallback={<span class="muted">Not grouped</span>}><LabelChips labels={g.labels} onPick={pick} /></Show>{" "}
                    <span class="muted small">to {g.receivers.join(", ")} · {g.alerts.length} {g.alerts.length === 1 ? "alert" : "alerts"}</span>
                  </h2>
                  <ul class="alerts">
                    <For each={alerts().slice(0, all() ? undefined : SHOWN_MAX)}>{(a) => <AlertItem alert={a} others={byFingerprint()} onPick={pick} />}</For>
                  </ul>
                  <Show when={!all() && alerts().length > SHOWN_MAX}><button class="button more" onClick={() => setQuery({ expand: [...query().getAll("expand"), g.key] })}>Show {alerts().length - SHOWN_MAX} more</button></Show>
                </section>
              );
            }}
          </For>
        </Show>
      </Show>
    </div>
  );
}
