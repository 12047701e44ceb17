// The query over time.
import { createEffect, createMemo, createSignal, For, on, Show } from "solid-js";
import * as prometheus from "../../api/prometheus";
import { theme } from "../../app/theme";
import { Chart } from "../../chart/Chart";
import { Legend } from "../../chart/Legend";
import { matrixSeries } from "../../lib/matrix";
import type { ChartModel, ChartSeries } from "../../chart/model";
import { chartInterval } from "../../lib/time";
import { Empty, ErrorState, Loading } from "../../ui/States";
import type { ViewProps } from "./QueryPanel";
import { MomentInput, RangeInput } from "./TimeInputs";
import { costText, useQuery } from "./useQuery";

const POINTS = 400;
/** Series drawn at once. */
const MAX_DRAWN = 200;

export function GraphView(props: ViewProps) {
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set());
  const query = useQuery(
    () => [props.state.expr, props.state.endMs, props.state.rangeMs, props.state.stepMs, props.state.exemplars, props.round] as const,
    async ([expr, endMs, rangeMs, fixed, wanted], signal) => {
      const to = endMs ?? Date.now();
      const range = { from: to - rangeMs, to };
      const stepMs = fixed ?? Math.max(1000, chartInterval(range, POINTS));
      const [answer, exemplars] = await Promise.all([
        prometheus.queryRange(expr, range.from, range.to, stepMs, signal),
        wanted ? prometheus.exemplars(expr, range.from, range.to) : Promise.resolve([]),
      ]);
      return { range, stepMs, answer, exemplars };
    },
  );
  createEffect(on(() => props.state.expr, () => setHidden(new Set<string>()), { defer: true }));
  const matrix = () => {
    const data = query.result()?.answer.data;
    return data?.resultType === "matrix" ? data.result : [];
  };
  const series = createMemo((): ChartSeries[] => {
    const r = query.result();
    if (!r) return [];
    const lines = matrixSeries(matrix().slice(0, MAX_DRAWN), r.stepMs, theme()).map((s) => (props.state.stacked ? { ...s, fill: 35, stack: { mode: "normal" as const, group: "all" } } : s));
    const marks = r.exemplars.flatMap((e) => e.exemplars.map((x): [number, number] => [Math.round(x.timestamp * 1000), prometheus.parseSample(x.value)])).sort((a, b) => a[0] - b[0]);
    return marks.length === 0 ? lines : [...lines, { name: "exemplars", color: "#f5a623", times: marks.map((m) => m[0]), values: marks.map((m) => m[1]), draw: "points", points: "always", axis: {} }];
  });
  const model = createMemo((): ChartModel => ({
    series: series().map((s) => ({ ...s, hidden: hidden().has(s.name) })),
    range: query.result()?.range ?? { from: Date.now() - props.state.rangeMs, to: Date.now() },
    tooltip: { mode: "multi", sort: "desc" },
  }));
  const zoom = (r: { from: number; to: number }) => props.onChange({ endMs: Math.ceil(r.to / 1000) * 1000, rangeMs: Math.max(1000, Math.ceil((r.to - r.from) / 1000) * 1000) });
  return (
    <>
      <div class="query-controls">
        <RangeInput value={props.state.rangeMs} onChange={(rangeMs) => props.onChange({ rangeMs })} />
        <MomentInput label="End time" value={props.state.endMs} stepMs={props.state.rangeMs / 2} onChange={(endMs) => props.onChange({ endMs })} />
        <label class="toggle">Step <input class="range" type="number" min="0.001" step="any" placeholder="auto" aria-label="Step in seconds" value={props.state.stepMs === undefined ? "" : props.state.stepMs / 1000} onChange={(e) => props.onChange({ stepMs: Number(e.currentTarget.value) > 0 ? Number(e.currentTarget.value) * 1000 : undefined })} /> s</label>
        <label class="toggle"><input type="checkbox" checked={props.state.stacked} onChange={(e) => props.onChange({ stacked: e.currentTarget.checked })} /> Stacked</label>
        <label class="toggle"><input type="checkbox" checked={props.state.exemplars} onChange={(e) => props.onChange({ exemplars: e.currentTarget.checked })} /> Exemplars</label>
        <Show when={query.result()}><span class="muted">{costText(matrix().length, query.tookMs(), query.result()!.answer.data.stats)} · step {query.result()!.stepMs / 1000} s</span></Show>
      </div>
      <Show when={query.error()}><ErrorState message={query.error()} /></Show>
      <For each={query.result()?.answer.notes}>{(n) => <p class="note">{n}</p>}</For>
      <Show when={query.result()} fallback={<Show when={!query.error()}><Loading /></Show>}>
        <Show when={series().length > 0} fallback={<Empty title="The query has no result in this time range." />}>
          <section class="card explore-chart">
            <div class="explore-plot"><Chart model={model()} onZoom={zoom} label={`Graph of ${props.state.expr}`} /></div>
            <Show when={matrix().length > MAX_DRAWN}><p class="note">{matrix().length - MAX_DRAWN} more series are not drawn.</p></Show>
            <Legend series={series()} options={{ displayMode: "list", calcs: series().length <= 20 ? ["lastNotNull"] : [] }} hidden={hidden()} onHidden={setHidden} />
          </section>
        </Show>
      </Show>
    </>
  );
}
