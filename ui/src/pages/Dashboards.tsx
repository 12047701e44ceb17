import { createMemo, createSignal, For, Show } from "solid-js";
import { searchDashboards } from "../api/grafana";
import { Empty, ErrorState, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

export default function Dashboards() {
  const list = usePolled(() => searchDashboards());
  const [filter, setFilter] = createSignal("");
  const hits = createMemo(() => {
    const words = filter().toLowerCase().split(/\s+/).filter(Boolean);
    return (list.data() ?? []).filter((h) => words.every((w) => `${h.title} ${h.tags.join(" ")} ${h.folderTitle ?? ""}`.toLowerCase().includes(w)));
  });
  const folders = () => [...new Set(hits().map((h) => h.folderTitle ?? "General"))].sort();
  return (
    <div class="page">
      <PageHeader title="Dashboards">
        <input class="search" type="search" placeholder="Search by title or tag" aria-label="Search dashboards" value={filter()} onInput={(e) => setFilter(e.currentTarget.value)} />
      </PageHeader>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="dashboards" /></Show>}>
        <Show when={hits().length > 0} fallback={<Empty title={filter() ? "No dashboard matches." : "There are no dashboards yet."}>Files in <code>grafana/dashboards/</code> appear here by themselves.</Empty>}>
          <For each={folders()}>
            {(folder) => (
              <section class="list-section">
                <Show when={folders().length > 1 || folder !== "General"}><h2>{folder}</h2></Show>
                <ul class="link-list">
                  <For each={hits().filter((h) => (h.folderTitle ?? "General") === folder)}>
                    {(h) => <li><a href={h.url || `/d/${h.uid}`}><span class="title">{h.title}</span><span class="tags"><For each={h.tags}>{(t) => <span class="tag">{t}</span>}</For></span></a></li>}
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
