// Alerts as the metrics service sees them: every alerting rule with its pending and firing instances.
import { createMemo, createSignal, For, Show } from "solid-js";
import { rules } from "../api/prometheus";
import { formatAgo } from "../lib/time";
import { Badge, Empty, ErrorState, LabelChips, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

const POLL_MS = 10_000;
const order = ["firing", "pending", "inactive", "unknown"];

export default function RuleAlerts() {
  const list = usePolled(rules, POLL_MS);
  const [showInactive, setShowInactive] = createSignal(true);
  const all = createMemo(() =>
    (list.data()?.groups ?? []).flatMap((g) => g.rules.filter((r) => r.type === "alerting")).sort((a, b) => order.indexOf(a.state ?? "inactive") - order.indexOf(b.state ?? "inactive") || a.name.localeCompare(b.name)),
  );
  const shown = () => all().filter((r) => showInactive() || r.state === "firing" || r.state === "pending");
  const count = (s: string) => all().filter((r) => r.state === s).length;
  return (
    <div class="page">
      <PageHeader title="Alerts" detail={<Show when={list.data()}><span class="muted">{count("firing")} firing · {count("pending")} pending · {count("inactive")} inactive</span></Show>}>
        <label class="toggle"><input type="checkbox" checked={showInactive()} onChange={(e) => setShowInactive(e.currentTarget.checked)} /> Show inactive</label>
      </PageHeader>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="alerts" /></Show>}>
        <Show when={shown().length > 0} fallback={<Empty title={all().length ? "Nothing is pending or firing." : "No alerting rules are configured."} />}>
          <ul class="rules">
            <For each={shown()}>
              {(r) => (
                <li class="rule">
                  <details open={r.state === "firing"}>
                    <summary><Badge tone={r.state === "firing" ? "bad" : r.state === "pending" ? "warn" : "ok"}>{r.state ?? "unknown"}</Badge><b>{r.name}</b><code class="rule-query">{r.query}</code><Show when={r.alerts?.length}><span class="muted">{r.alerts!.length} active</span></Show></summary>
                    <div class="rule-detail">
                      <For each={Object.entries(r.annotations ?? {})}>{([k, v]) => <p class="annotation"><span class="muted">{k}</span> {v}</p>}</For>
                      <For each={r.alerts ?? []} fallback={<p class="muted">No active instances.</p>}>
                        {(a) => <p class="rule-alert"><Badge tone={a.state === "firing" ? "bad" : "warn"}>{a.state}</Badge> <LabelChips labels={a.labels} skip={["alertname"]} /> <span class="muted">value {a.value}{a.activeAt ? ` · since ${formatAgo(Date.parse(a.activeAt))}` : ""}</span></p>}
                      </For>
                    </div>
                  </details>
                  <Show when={r.lastError}><pre class="problem">{r.lastError}</pre></Show>
                </li>
              )}
            </For>
          </ul>
        </Show>
      </Show>
    </div>
  );
}
