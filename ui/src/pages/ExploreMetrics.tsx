import { createEffect, createMemo, createSignal, For, on, onCleanup, Show } from "solid-js";
import * as prometheus from "../api/prometheus";
import { isAbort, messageOf } from "../api/http";
import { theme } from "../app/theme";
import { Chart } from "../chart/Chart";
import { Legend } from "../chart/Legend";
import { matrixSeries } from "../lib/matrix";
import type { ChartModel, ChartSeries } from "../chart/model";
import type { Labels } from "../lib/legend";
import { chartInterval, type Range } from "../lib/time";
import { formatValue } from "../lib/units";
import { Empty, ErrorState, LabelChips } from "../ui/States";
import { metricCompletion } from "../ui/metricCompletion";
import { QueryInput } from "../ui/QueryInput";
import type { TimeState } from "../ui/useTimeRange";

const POINTS = 400;
/** Series drawn at once; the table lists the rest. */
const MAX_DRAWN = 200;
const MAX_ROWS = 500;

interface Result {
  range: Range;
  stepMs: number;
  drawn: prometheus.MatrixSeries[];
  rows: { metric: Labels; value: string }[];
  notes: string[];
  tookMs: number;
}

export function ExploreMetrics(props: { expr: string; onRun: (expr: string) => void; time: TimeState; onBusy: (busy: boolean) => void }) {
  const [result, setResult] = createSignal<Result | undefined>();
  const [error, setError] = createSignal("");
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set());
  let abort = new AbortController();
  onCleanup(() => abort.abort());

  createEffect(on([() => props.expr, props.time.range], async ([expr, range]) => {
    abort.abort();
    abort = new AbortController();
    if (expr.trim() === "") return void (setResult(undefined), setError(""));
    const stepMs = Math.max(1000, chartInterval(range, POINTS));
    const started = performance.now();
    props.onBusy(true);
    try {
      const signal = abort.signal;
      const [graph, table] = await Promise.all([
        prometheus.queryRange(expr, range.from, range.to, stepMs, signal).catch((e: unknown) => ({ failed: e })),
        prometheus.queryInstant(expr, range.to, signal),
      ]);
      // A range selector or a string has no graph; the table still shows it.
      if ("failed" in graph && table.data.resultType !== "matrix" && table.data.resultType !== "string") throw graph.failed;
      const drawn = "data" in graph && graph.data.resultType === "matrix" ? graph.data.result : [];
      setResult({ range, stepMs, drawn, rows: rowsOf(table.data), notes: [...new Set([...("notes" in graph ? graph.notes : []), ...table.notes])], tookMs: performance.now() - started });
      setError("");
    } catch (e) {
      if (!isAbort(e)) setError(messageOf(e));
    } finally {
      props.onBusy(false);
    }
  }));
  createEffect(on(() => props.expr, () => setHidden(new Set<string>()), { defer: true }));

  const series = createMemo((): ChartSeries[] => (result() ? matrixSeries(result()!.drawn.slice(0, MAX_DRAWN), result()!.stepMs, theme()) : []));
  const model = createMemo((): ChartModel => ({ series: series().map((s) => ({ ...s, hidden: hidden().has(s.name) })), range: result()?.range ?? props.time.range(), tooltip: { mode: "multi", sort: "desc" } }));
  const labelKeys = () => [...new Set((result()?.rows ?? []).slice(0, MAX_ROWS).flatMap((r) => Object.keys(r.metric)))];

  return (
    <>
      <QueryInput value={props.expr} onRun={(t) => (t === props.expr ? props.time.reload() : props.onRun(t))} source={metricCompletion} label="PromQL query" placeholder="Metric name or PromQL, for example  rate(node_cpu_seconds_total[1m])" />
      <Show when={error()}><ErrorState message={error()} /></Show>
      <For each={result()?.notes}>{(n) => <p class="note">{n}</p>}</For>
      <Show when={result() && !error()} fallback={<Show when={!props.expr}><Suggestions onRun={props.onRun} /></Show>}>
        <Show when={result()!.drawn.length > 0 || result()!.rows.length > 0} fallback={<Empty title="The query has no result in this time range." />}>
          <Show when={series().length > 0}>
            <section class="card explore-chart">
              <div class="explore-plot"><Chart model={model()} onZoom={(r) => props.time.setRaw({ from: String(r.from), to: String(r.to) })} label={`Graph of ${props.expr}`} /></div>
              <Legend series={series()} options={{ displayMode: "list", calcs: series().length <= 20 ? ["lastNotNull"] : [] }} hidden={hidden()} onHidden={setHidden} />
            </section>
          </Show>
          <section class="card">
            <header><h2>Table</h2><span class="muted">{result()!.rows.length} series · {Math.round(result()!.tookMs)} ms · step {result()!.stepMs / 1000} s</span></header>
            <div class="table-scroll tall">
              <table class="data-table">
                <thead><tr><th scope="col">Series</th><th scope="col" class="num">Value</th></tr></thead>
                <tbody>
                  <For each={result()!.rows.slice(0, MAX_ROWS)}>
                    {(r) => <tr><td><span class="metric-name">{r.metric.__name__}</span> <LabelChips labels={r.metric} skip={["__name__"]} /><Show when={labelKeys().length === 0}><span class="muted">{"{}"}</span></Show></td><td class="num mono" title={r.value}>{r.value}</td></tr>}
                  </For>
                </tbody>
              </table>
            </div>
            <Show when={result()!.rows.length > MAX_ROWS}><p class="muted pad">{result()!.rows.length - MAX_ROWS} more series are not listed.</p></Show>
          </section>
        </Show>
      </Show>
    </>
  );
}

const examples: [string, string][] = [
  ["Which targets are up", "up"],
  ["CPU use by mode", "sum by (mode) (rate(node_cpu_seconds_total[1m]))"],
  ["Memory in use", "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes"],
  ["Network traffic by interface", "rate(node_network_receive_bytes_total[1m])"],
  ["Slowest scrapes", "topk(5, scrape_duration_seconds)"],
];

function Suggestions(props: { onRun: (expr: string) => void }) {
  const [count, setCount] = createSignal<number | undefined>();
  metricCompletion.metrics().then((m) => setCount(m.length), () => undefined);
  return (
    <div class="suggest">
      <p class="muted">Type a query above{count() ? <>; <b>{formatValue(count(), "none", 0)}</b> metric names complete as you type</> : ""}. Or start here:</p>
      <ul><For each={examples}>{([title, expr]) => <li><button onClick={() => props.onRun(expr)}><span>{title}</span><code>{expr}</code></button></li>}</For></ul>
    </div>
  );
}

function rowsOf(data: prometheus.QueryData): { metric: Labels; value: string }[] {
  switch (data.resultType) {
    case "vector": return data.result.map((s) => ({ metric: s.metric, value: s.value ? s.value[1] : `histogram ${JSON.stringify(s.histogram?.[1])}` }));
    case "matrix": return data.result.map((s) => ({ metric: s.metric, value: (s.values ?? []).map(([t, v]) => `${v} @${t}`).join("\n") }));
    default: return [{ metric: {}, value: data.result[1] }];
  }
}
