import { createMemo, createSignal, For, Show } from "solid-js";
import { rules, type Rule } from "../api/prometheus";
import { href } from "../app/router";
import { service } from "../app/service";
import { formatAgo, formatDuration } from "../lib/time";
import { AlertTabs } from "../ui/AlertTabs";
import { Badge, Empty, ErrorState, LabelChips, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

const POLL_MS = 15_000;

export default function Rules() {
  const list = usePolled(rules, POLL_MS);
  const [filter, setFilter] = createSignal("");
  const groups = createMemo(() => {
    const needle = filter().toLowerCase();
    return (list.data()?.groups ?? []).map((g) => ({ ...g, rules: g.rules.filter((r) => !needle || `${g.name} ${r.name} ${r.query} ${r.lastError ?? ""}`.toLowerCase().includes(needle)) })).filter((g) => g.rules.length > 0);
  });
  return (
    <div class="page">
      <PageHeader title={service === "grafana" ? "Alerts" : "Rules"} detail={<AlertTabs />}>
        <a class="button" href={href("/runbooks")}>Runbooks</a>
        <input class="search" type="search" placeholder="Filter rules" aria-label="Filter rules" value={filter()} onInput={(e) => setFilter(e.currentTarget.value)} />
      </PageHeader>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="rules" /></Show>}>
        <Show when={groups().length > 0} fallback={<Empty title={list.data()!.groups.length ? "No rule matches." : "No rules are configured."} />}>
          <For each={groups()}>
            {(g) => (
              <section class="list-section">
                <h2>{g.name} <span class="muted small">{g.file} · every {formatDuration(g.interval * 1000)}{g.lastEvaluation && !g.lastEvaluation.startsWith("0001") ? ` · evaluated ${formatAgo(Date.parse(g.lastEvaluation))} in ${formatDuration((g.evaluationTime ?? 0) * 1000)}` : ""}</span></h2>
                <ul class="rules"><For each={g.rules}>{(r) => <RuleItem rule={r} />}</For></ul>
              </section>
            )}
          </For>
        </Show>
      </Show>
    </div>
  );
}

function RuleItem(props: { rule: Rule }) {
  const r = props.rule;
  const state = () => (r.health === "err" ? "error" : r.type === "recording" ? "recording" : (r.state ?? "inactive"));
  const tone = () => ({ error: "bad", firing: "bad", pending: "warn", inactive: "ok", recording: "quiet" } as const)[state() as "error"] ?? "quiet";
  return (
    <li class="rule">
      <details>
        <summary>
          <Badge tone={tone()}>{state()}</Badge>
          <b>{r.name}</b>
          <code class="rule-query">{r.query}</code>
          <Show when={r.alerts?.length}><span class="muted">{r.alerts!.length} active</span></Show>
        </summary>
        <div class="rule-detail">
          <pre class="query-text">{r.query}</pre>
          <p class="muted">
            {r.duration ? `for ${formatDuration(r.duration * 1000)} · ` : ""}{r.keepFiringFor ? `keeps firing for ${formatDuration(r.keepFiringFor * 1000)} · ` : ""}
            {r.lastEvaluation && !r.lastEvaluation.startsWith("0001") ? `evaluated ${formatAgo(Date.parse(r.lastEvaluation))} in ${formatDuration((r.evaluationTime ?? 0) * 1000)}` : "not evaluated yet"}
          </p>
          <Show when={Object.keys(r.labels ?? {}).length}><p><LabelChips labels={r.labels!} /></p></Show>
          <For each={Object.entries(r.annotations ?? {})}>{([k, v]) => <p class="annotation"><span class="muted">{k}</span> {v}</p>}</For>
          <For each={r.alerts ?? []}>{(a) => <p class="rule-alert"><Badge tone={a.state === "firing" ? "bad" : "warn"}>{a.state}</Badge> <LabelChips labels={a.labels} skip={["alertname"]} /> <span class="muted">value {a.value}{a.activeAt ? ` · since ${formatAgo(Date.parse(a.activeAt))}` : ""}</span></p>}</For>
        </div>
      </details>
      <Show when={r.lastError}><pre class="problem">{r.lastError}</pre></Show>
    </li>
  );
}
