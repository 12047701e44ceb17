// The query at one moment, row by row.
import { createMemo, For, Match, Show, Switch } from "solid-js";
import * as prometheus from "../../api/prometheus";
import { boundsText } from "../../lib/histogram";
import type { Labels } from "../../lib/legend";
import { Empty, ErrorState, LabelChips, Loading } from "../../ui/States";
import type { ViewProps } from "./QueryPanel";
import { MomentInput } from "./TimeInputs";
import { costText, useQuery } from "./useQuery";

const MAX_ROWS = 1000;

interface Row {
  metric: Labels;
  text?: string;
  histogram?: prometheus.Histogram;
}

export function TableView(props: ViewProps) {
  const query = useQuery(
    () => [props.state.expr, props.state.endMs, props.round] as const,
    ([expr, at], signal) => prometheus.queryInstant(expr, at, signal),
  );
  const rows = createMemo((): Row[] => (query.result() ? rowsOf(query.result()!.data) : []));
  return (
    <>
      <div class="query-controls">
        <MomentInput label="Evaluation time" value={props.state.endMs} stepMs={props.state.rangeMs / 2} onChange={(endMs) => props.onChange({ endMs })} />
        <Show when={query.result()}><span class="muted">{costText(rows().length, query.tookMs(), query.result()!.data.stats)}</span></Show>
      </div>
      <Show when={query.error()}><ErrorState message={query.error()} /></Show>
      <For each={query.result()?.notes}>{(n) => <p class="note">{n}</p>}</For>
      <Show when={query.result()} fallback={<Show when={!query.error()}><Loading /></Show>}>
        <Show when={rows().length > 0} fallback={<Empty title="The query has no result at this time." />}>
          <section class="card table-scroll tall">
            <table class="data-table">
              <tbody>
                <For each={rows().slice(0, MAX_ROWS)}>
                  {(r) => (
                    <tr>
                      <td><span class="metric-name">{r.metric.__name__}</span> <LabelChips labels={r.metric} skip={["__name__"]} /><Show when={Object.keys(r.metric).length === 0}><span class="muted">{"{}"}</span></Show></td>
                      <td class="num mono"><Switch fallback={<span class="value-text">{r.text}</span>}><Match when={r.histogram}>{(h) => <HistogramCell histogram={h()} />}</Match></Switch></td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
          </section>
          <Show when={rows().length > MAX_ROWS}><p class="muted pad">{rows().length - MAX_ROWS} more series are not listed.</p></Show>
        </Show>
      </Show>
    </>
  );
}

function rowsOf(data: prometheus.QueryData): Row[] {
  switch (data.resultType) {
    case "vector": return data.result.map((s) => (s.histogram ? { metric: s.metric, histogram: s.histogram[1] } : { metric: s.metric, text: s.value![1] }));
    case "matrix": return data.result.map((s) => ({ metric: s.metric, text: [...(s.values ?? []).map(([t, v]) => `${v} @${t}`), ...(s.histograms ?? []).map(([t, h]) => `count ${h.count}, sum ${h.sum} @${t}`)].join("\n") }));
    default: return [{ metric: {}, text: data.result[1] }];
  }
}

/** Buckets as bars, so that the shape is seen before the figures are read. */
function HistogramCell(props: { histogram: prometheus.Histogram }) {
  const buckets = () => props.histogram.buckets ?? [];
  const most = () => Math.max(...buckets().map((b) => Number(b[3])), 0);
  return (
    <div class="histogram">
      <p>count {props.histogram.count} · sum {props.histogram.sum}</p>
      <div class="histogram-bars" role="img" aria-label={`${buckets().length} buckets`}>
        <For each={buckets()}>{(b) => <span title={`${boundsText(b)}: ${b[3]}`} style={{ height: `${most() > 0 ? Math.max(2, (100 * Number(b[3])) / most()) : 2}%` }} />}</For>
      </div>
    </div>
  );
}
