import { createEffect, createMemo, createSignal, For, on, onCleanup, Show } from "solid-js";
import * as loki from "../api/loki";
import { isAbort, messageOf } from "../api/http";
import { parseSample } from "../api/prometheus";
import { theme } from "../app/theme";
import { Chart } from "../chart/Chart";
import { Legend } from "../chart/Legend";
import type { ChartModel, ChartSeries } from "../chart/model";
import { paletteColor, resolveColor } from "../lib/colors";
import { autoNames } from "../lib/legend";
import { chartInterval, type Range } from "../lib/time";
import { Empty, ErrorState } from "../ui/States";
import { Icon } from "../ui/Icon";
import { LogList } from "../ui/LogList";
import { QueryInput, type CompletionSource } from "../ui/QueryInput";
import type { TimeState } from "../ui/useTimeRange";

const LIMIT = 1000;
/** Lines kept while following live; older ones leave at the bottom. */
const LIVE_KEEP = 2000;
const BARS = 80;

const levelColors: Record<string, string> = { critical: "purple", error: "red", warn: "orange", info: "green", debug: "blue", trace: "light-blue", unknown: "gray" };
const levelOrder = ["critical", "error", "warn", "info", "debug", "trace", "unknown"];

interface Result {
  range: Range;
  answer: loki.LogAnswer;
  volume: ChartSeries[];
  tookMs: number;
}

export function ExploreLogs(props: { expr: string; onRun: (expr: string) => void; time: TimeState; onBusy: (busy: boolean) => void }) {
  const [result, setResult] = createSignal<Result | undefined>();
  const [error, setError] = createSignal("");
  const [wrap, setWrap] = createSignal(false);
  const [live, setLive] = createSignal(false);
  const [liveLines, setLiveLines] = createSignal<loki.LogLine[]>([]);
  const [liveNote, setLiveNote] = createSignal("");
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set());
  let abort = new AbortController();
  onCleanup(() => abort.abort());

  createEffect(on([() => props.expr, props.time.range, live], async ([expr, range, isLive]) => {
    abort.abort();
    abort = new AbortController();
    if (expr.trim() === "" || isLive) return void (expr.trim() === "" && (setResult(undefined), setError("")));
    const started = performance.now();
    props.onBusy(true);
    try {
      const signal = abort.signal;
      const stepMs = Math.max(1000, chartInterval(range, BARS));
      const [answer, volume] = await Promise.all([
        loki.queryLogs(expr, range.from, range.to, { limit: LIMIT, stepMs }, signal),
        histogram(expr, range, stepMs, signal),
      ]);
      setResult({ range, answer, volume, tookMs: performance.now() - started });
      setError("");
    } catch (e) {
      if (!isAbort(e)) setError(messageOf(e));
    } finally {
      props.onBusy(false);
    }
  }));

  createEffect(on([live, () => props.expr], ([isLive, expr]) => {
    if (!isLive || expr.trim() === "") return;
    setLiveLines([]);
    setLiveNote("");
    let dropped = 0;
    const stop = loki.tail(
      expr,
      (lines, lost) => {
        dropped += lost;
        if (dropped > 0) setLiveNote(`${dropped} lines were dropped because they arrived too fast.`);
        setLiveLines((old) => [...lines, ...old].slice(0, LIVE_KEEP));
      },
      (reason) => {
        setLive(false);
        setLiveNote(reason);
      },
    );
    onCleanup(stop);
  }));

  const logs = () => (result()?.answer.kind === "logs" ? (result()!.answer as { lines: loki.LogLine[] }).lines : []);
  const shown = () => (live() ? liveLines() : logs());
  const matrix = createMemo((): ChartSeries[] => {
    const a = result()?.answer;
    if (a?.kind !== "metrics") return [];
    const names = autoNames(a.series.map((s) => s.metric));
    return a.series.map((s, i) => ({ name: names[i]!, color: paletteColor(i, theme()), times: s.values.map(([t]) => Math.round(Number(t) * 1000)), values: s.values.map(([, v]) => parseSample(v)), width: 1.25, axis: {} }));
  });
  const model = (series: ChartSeries[]): ChartModel => ({ series: series.map((s) => ({ ...s, hidden: hidden().has(s.name) })), range: result()?.range ?? props.time.range(), tooltip: { mode: "multi", sort: "none" } });
  const zoom = (r: Range) => props.time.setRaw({ from: String(r.from), to: String(r.to) });
  const addLabel = (name: string, value: string) => {
    const open = props.expr.indexOf("{");
    const close = props.expr.indexOf("}");
    const matcher = `${name}=${JSON.stringify(value)}`;
    if (open < 0 || close < open) return;
    const inside = props.expr.slice(open + 1, close).trim();
    if (!inside.includes(matcher)) props.onRun(`${props.expr.slice(0, open + 1)}${inside ? `${inside}, ` : ""}${matcher}${props.expr.slice(close)}`);
  };

  return (
    <>
      <QueryInput value={props.expr} onRun={(t) => (t === props.expr ? props.time.reload() : props.onRun(t))} source={logCompletion} label="LogQL query" placeholder={'LogQL, for example  {job="syslog"} |= "error"'} />
      <div class="log-tools">
        <button class="button small" classList={{ active: live() }} aria-pressed={live()} disabled={!props.expr} onClick={() => setLive(!live())}><Icon name={live() ? "stop" : "play"} size={12} /> {live() ? "Stop" : "Live"}</button>
        <label class="toggle"><input type="checkbox" checked={wrap()} onChange={(e) => setWrap(e.currentTarget.checked)} /> Wrap lines</label>
        <Show when={live()}><span class="muted"><span class="dot ok pulse" /> following, {liveLines().length} lines</span></Show>
        <Show when={!live() && result()?.answer.kind === "logs"}><span class="muted">{logs().length}{logs().length >= LIMIT ? " newest" : ""} lines · {Math.round(result()!.tookMs)} ms</span></Show>
        <Show when={liveNote()}><span class="note" role="status">{liveNote()}</span></Show>
      </div>
      <Show when={error() && !live()}><ErrorState message={error()} /></Show>
      <Show when={!props.expr}><LogSuggestions onRun={props.onRun} /></Show>
      <Show when={!live() && result() && !error() && props.expr}>
        <Show when={result()!.volume.length > 0}>
          <section class="card volume"><div class="volume-plot"><Chart model={model(result()!.volume)} onZoom={zoom} label="Lines over time by level" /></div><Legend series={result()!.volume} options={{ displayMode: "list", calcs: ["sum"] }} hidden={hidden()} onHidden={setHidden} /></section>
        </Show>
        <Show when={matrix().length > 0}>
          <section class="card explore-chart"><div class="explore-plot"><Chart model={model(matrix())} onZoom={zoom} label={`Graph of ${props.expr}`} /></div><Legend series={matrix()} options={{ displayMode: "list", calcs: ["lastNotNull"] }} hidden={hidden()} onHidden={setHidden} /></section>
        </Show>
        <Show when={shown().length === 0 && matrix().length === 0}><Empty title="The query has no result in this time range." /></Show>
      </Show>
      <Show when={shown().length > 0 && (live() || !error())}><section class="card logs-card"><LogList lines={shown()} wrap={wrap()} onLabel={addLabel} /></section></Show>
      <Show when={live() && shown().length === 0}><Empty title="Waiting for the next line…" /></Show>
    </>
  );
}

/** Lines over time by level. A store without level detection gives one series; a failure only costs the bars. */
async function histogram(expr: string, range: Range, stepMs: number, signal: AbortSignal): Promise<ChartSeries[]> {
  if (!expr.trim().startsWith("{")) return [];
  const query = `sum by (detected_level) (count_over_time(${expr} [${Math.round(stepMs / 1000)}s]))`;
  try {
    const answer = await loki.queryLogs(query, range.from, range.to, { stepMs }, signal);
    if (answer.kind !== "metrics") return [];
    const byLevel = answer.series.map((s) => ({ level: s.metric.detected_level ? loki.normalLevel(s.metric.detected_level) : "unknown", values: s.values }));
    byLevel.sort((a, b) => levelOrder.indexOf(a.level) - levelOrder.indexOf(b.level));
    return byLevel.map((s) => ({
      name: s.level === "unknown" ? (byLevel.length === 1 ? "lines" : "other") : s.level,
      color: resolveColor(levelColors[s.level], theme()),
      times: s.values.map(([t]) => Math.round(Number(t) * 1000)),
      values: s.values.map(([, v]) => parseSample(v)),
      draw: "bars" as const,
      fill: 80,
      width: 0,
      axis: {},
      stack: { mode: "normal" as const, group: "volume" },
    }));
  } catch (e) {
    if (isAbort(e)) throw e;
    return [];
  }
}

function LogSuggestions(props: { onRun: (expr: string) => void }) {
  const [found, setFound] = createSignal<{ label: string; values: string[] } | undefined>();
  const [problem, setProblem] = createSignal("");
  void (async () => {
    try {
      const names = await loki.labels();
      const label = ["job", "service_name", "unit", "container", "filename"].find((l) => names.includes(l)) ?? names[0];
      setFound(label ? { label, values: await loki.labelValues(label) } : { label: "", values: [] });
    } catch (e) {
      setProblem(messageOf(e));
    }
  })();
  return (
    <div class="suggest">
      <Show when={problem()}><ErrorState message={problem()} /></Show>
      <Show when={found()}>
        <Show when={found()!.values.length > 0} fallback={<Empty title="No logs have arrived yet." />}>
          <p class="muted">Pick a stream:</p>
          <ul><For each={found()!.values.slice(0, 30)}>{(v) => <li><button onClick={() => props.onRun(`{${found()!.label}=${JSON.stringify(v)}}`)}><span>{v}</span><code>{`{${found()!.label}=${JSON.stringify(v)}}`}</code></button></li>}</For></ul>
        </Show>
      </Show>
    </div>
  );
}

const logCompletion: CompletionSource = {
  metrics: async () => [],
  labels: () => loki.labels(),
  values: (label) => loki.labelValues(label),
  words: ["avg_over_time", "bytes_over_time", "bytes_rate", "count_over_time", "json", "line_format", "logfmt", "max_over_time", "min_over_time", "pattern", "quantile_over_time", "rate", "regexp", "sum", "sum_over_time", "topk", "unwrap"],
};
