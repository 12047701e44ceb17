// Groups of pushed metrics, from the Pushgateway's own API.
import { createSignal, For, Show } from "solid-js";
import { getJson, messageOf, request } from "../api/http";
import { formatAgo, formatDateTime } from "../lib/time";
import { Badge, Empty, ErrorState, LabelChips, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

interface Family {
  time_stamp: string;
  type: string;
  help?: string;
  metrics: { labels?: Record<string, string>; value?: string; count?: string; sum?: string }[];
}

type Group = { labels: Record<string, string>; last_push_successful?: boolean } & Record<string, unknown>;

const own = new Set(["labels", "last_push_successful", "push_time_seconds", "push_failure_time_seconds"]);
const POLL_MS = 15_000;

export default function PushGroups() {
  const list = usePolled(() => getJson<{ data: Group[] }>("/api/v1/metrics").then((r) => r.data), POLL_MS);
  const [problem, setProblem] = createSignal("");
  const remove = async (g: Group) => {
    if (!window.confirm(`Delete all metrics of the group ${JSON.stringify(g.labels)}?`)) return;
    const { job = "", ...rest } = g.labels;
    setProblem("");
    try {
      await request(`/metrics/${pathPart("job", job)}${Object.entries(rest).map(([k, v]) => `/${pathPart(k, v)}`).join("")}`, { method: "DELETE" });
      await list.reload();
    } catch (e) {
      setProblem(messageOf(e));
    }
  };
  return (
    <div class="page">
      <PageHeader title="Push groups" detail={<Show when={list.data()}><span class="muted">{list.data()!.length} {list.data()!.length === 1 ? "group" : "groups"}</span></Show>} />
      <Show when={problem()}><p class="problem" role="alert">{problem()}</p></Show>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="groups" /></Show>}>
        <For each={list.data()} fallback={<Empty title="Nothing has been pushed yet.">Try <code>echo "my_metric 1" | curl --data-binary @- {window.location.origin}/metrics/job/my_job</code></Empty>}>
          {(g) => {
            const families = () => Object.entries(g).filter(([k]) => !own.has(k)) as [string, Family][];
            const pushed = () => Number((g.push_time_seconds as Family | undefined)?.metrics?.[0]?.value ?? 0) * 1000;
            return (
              <section class="list-section">
                <h2><LabelChips labels={g.labels} /> <Badge tone={g.last_push_successful === false ? "bad" : "ok"}>{g.last_push_successful === false ? "last push failed" : "pushed"}</Badge> <span class="muted small" title={formatDateTime(pushed())}>{pushed() ? formatAgo(pushed()) : ""}</span> <button class="button small" onClick={() => void remove(g)}>Delete group</button></h2>
                <table class="data-table">
                  <thead><tr><th scope="col">Metric</th><th scope="col">Type</th><th scope="col">Labels</th><th scope="col" class="num">Value</th></tr></thead>
                  <tbody><For each={families()}>{([name, f]) => <For each={f.metrics}>{(m) => <tr><td class="mono" title={f.help}>{name}</td><td class="muted">{f.type.toLowerCase()}</td><td><LabelChips labels={m.labels ?? {}} skip={Object.keys(g.labels)} /></td><td class="num mono">{m.value ?? (m.count !== undefined ? `count ${m.count}, sum ${m.sum}` : "")}</td></tr>}</For>}</For></tbody>
                </table>
              </section>
            );
          }}
        </For>
      </Show>
    </div>
  );
}

/** Values with a slash, and empty ones, travel base64-encoded. */
function pathPart(name: string, value: string): string {
  if (value !== "" && !value.includes("/")) return `${name}/${encodeURIComponent(value)}`;
  const bytes = new TextEncoder().encode(value);
  const text = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_");
  return `${name}@base64/${text || "="}`;
}
