// What discovery found, pool by pool: which labels came in, which target came out, and what was dropped.
import { createMemo, createSignal, For, Show } from "solid-js";
import { allTargets } from "../api/prometheus";
import type { Labels } from "../lib/legend";
import { Badge, Empty, ErrorState, LabelChips, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { RelabelSteps } from "../ui/RelabelSteps";
import { usePolled } from "../ui/usePolled";

const POLL_MS = 15_000;
/** Targets of a pool that are listed; the filter finds the others. */
const ROWS_MAX = 200;

interface Found {
  pool: string;
  discovered: Labels;
  /** Undefined: relabelling dropped it. */
  target?: Labels;
}

export default function ServiceDiscovery() {
  const list = usePolled(allTargets, POLL_MS);
  const [filter, setFilter] = createSignal("");
  const [onlyDropped, setOnlyDropped] = createSignal(false);
  const all = createMemo((): Found[] => [
    ...(list.data()?.activeTargets ?? []).map((t) => ({ pool: t.scrapePool, discovered: t.discoveredLabels, target: t.labels })),
    ...(list.data()?.droppedTargets ?? []).map((t) => ({ pool: t.scrapePool, discovered: t.discoveredLabels })),
  ]);
  const shown = createMemo(() => {
    const needle = filter().toLowerCase();
    return all().filter((f) => (!onlyDropped() || !f.target) && (!needle || `${f.pool} ${JSON.stringify(f.discovered)} ${JSON.stringify(f.target)}`.toLowerCase().includes(needle)));
  });
  const pools = () => [...new Set([...shown().map((f) => f.pool)])].sort();
  const droppedOf = (pool: string) => list.data()?.droppedTargetCounts?.[pool] ?? 0;
  return (
    <div class="page">
      <PageHeader title="Service discovery" detail={<Show when={list.data()}><span class="muted">{all().filter((f) => f.target).length} targets, {all().filter((f) => !f.target).length} dropped</span></Show>}>
        <label class="toggle"><input type="checkbox" checked={onlyDropped()} onChange={(e) => setOnlyDropped(e.currentTarget.checked)} /> Only dropped</label>
        <input class="search" type="search" placeholder="Filter by label or value" aria-label="Filter discovered targets" value={filter()} onInput={(e) => setFilter(e.currentTarget.value)} />
      </PageHeader>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="discovered targets" /></Show>}>
        <Show when={pools().length > 0} fallback={<Empty title={all().length ? "Nothing matches." : "Nothing has been discovered."} />}>
          <For each={pools()}>
            {(pool) => {
              const own = () => shown().filter((f) => f.pool === pool);
              return (
                <section class="list-section">
                  <h2>{pool} <Badge tone="quiet">{own().filter((f) => f.target).length} active</Badge> <Show when={droppedOf(pool) > 0}><Badge tone="warn">{droppedOf(pool)} dropped</Badge></Show></h2>
                  <ul class="found">
                    <For each={own().slice(0, ROWS_MAX)}>{(f) => <FoundItem found={f} />}</For>
                  </ul>
                  <Show when={own().length > ROWS_MAX}><p class="muted">{own().length - ROWS_MAX} more are not listed; filter to see them.</p></Show>
                </section>
              );
            }}
          </For>
        </Show>
      </Show>
    </div>
  );
}

function FoundItem(props: { found: Found }) {
  const [steps, setSteps] = createSignal(false);
  return (
    <li class="found-item">
      <div class="found-labels"><span class="muted">discovered</span><LabelChips labels={props.found.discovered} /></div>
      <div class="found-labels"><span class="muted">target</span><Show when={props.found.target} fallback={<Badge tone="warn">dropped</Badge>}><LabelChips labels={props.found.target!} /></Show></div>
      <button class="linkish" aria-expanded={steps()} onClick={() => setSteps(!steps())}>{steps() ? "Hide the steps" : "How it came about"}</button>
      <Show when={steps()}><RelabelSteps pool={props.found.pool} labels={props.found.discovered} /></Show>
    </li>
  );
}
