// All metrics with their types and help texts; a click takes one as the query.
import { createMemo, createResource, createSignal, For, Show, Suspense } from "solid-js";
import { messageOf } from "../../api/http";
import { rank } from "../../lib/complete";
import { metadataOf, metricCompletion } from "../../ui/metricCompletion";
import { Badge, ErrorState, Loading } from "../../ui/States";

const ROWS_MAX = 200;

export default function MetricsExplorer(props: { onPick: (metric: string) => void }) {
  const [needle, setNeedle] = createSignal("");
  const [problem, setProblem] = createSignal("");
  const [all] = createResource(() => Promise.all([metricCompletion.metrics(), metadataOf()]).catch((e: unknown) => (setProblem(messageOf(e)), undefined)));
  const shown = createMemo(() => rank(all()?.[0] ?? [], needle().trim(), ROWS_MAX));
  const about = (name: string) => {
    const known = all()?.[1] ?? {};
    return (known[name] ?? known[name.replace(/_(bucket|count|sum|total)$/, "")])?.[0];
  };
  return (
    <section class="card metrics-explorer">
      <header><h2>Metrics</h2><input class="search" type="search" placeholder="Search metrics" aria-label="Search metrics" value={needle()} onInput={(e) => setNeedle(e.currentTarget.value)} /></header>
      <Show when={problem()}><ErrorState message={problem()} /></Show>
      <Suspense fallback={<Loading what="metrics" />}>
        <div class="table-scroll tall">
          <table class="data-table">
            <tbody>
              <For each={shown()}>{(name) => <tr><td class="mono"><button class="linkish" onClick={() => props.onPick(name)}>{name}</button></td><td><Show when={about(name)}><Badge tone="quiet">{about(name)!.type}</Badge></Show></td><td class="muted">{about(name)?.help}</td></tr>}</For>
            </tbody>
          </table>
        </div>
        <Show when={(all()?.[0].length ?? 0) > ROWS_MAX && shown().length === ROWS_MAX}><p class="muted pad">Search to see more of the {all()![0].length}.</p></Show>
      </Suspense>
    </section>
  );
}
