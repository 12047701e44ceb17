import { For, Show } from "solid-js";
import "../styles/vitals.css";
import { tsdbStatus } from "../api/prometheus";
import { formatValue } from "../lib/units";
import { formatDateTime } from "../lib/time";
import { ErrorState, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

export default function TsdbStatus() {
  const status = usePolled(tsdbStatus);
  const head = () => status.data()?.headStats;
  const time = (ms?: number) => (ms === undefined || Math.abs(ms) > 8.64e15 ? "–" : formatDateTime(ms));
  return (
    <div class="page">
      <PageHeader title="TSDB status" />
      <Show when={status.error()}><ErrorState message={status.error()!} onRetry={() => void status.reload()} /></Show>
      <Show when={status.data()} fallback={<Show when={!status.error()}><Loading /></Show>}>
        <Show when={head()}>
          <div class="vitals small">
            <Figure label="Series in memory" value={formatValue(head()!.numSeries, "locale")} />
            <Figure label="Chunks" value={head()!.chunkCount === undefined ? "–" : formatValue(head()!.chunkCount, "locale")} />
            <Figure label="Oldest sample in memory" value={time(head()!.minTime)} />
            <Figure label="Newest sample" value={time(head()!.maxTime)} />
          </div>
        </Show>
        <div class="two-columns">
          <Top title="Metric names with most series" rows={status.data()!.seriesCountByMetricName} unit="locale" />
          <Top title="Label names with most values" rows={status.data()!.labelValueCountByLabelName} unit="locale" />
          <Top title="Label pairs with most series" rows={status.data()!.seriesCountByLabelValuePair} unit="locale" />
          <Top title="Label names by memory" rows={status.data()!.memoryInBytesByLabelName} unit="bytes" />
        </div>
      </Show>
    </div>
  );
}

function Figure(props: { label: string; value: string }) {
  return <section class="vital"><div class="vital-text"><h2>{props.label}</h2><p class="vital-value">{props.value}</p></div></section>;
}

function Top(props: { title: string; rows?: { name: string; value: number }[]; unit: string }) {
  return (
    <Show when={props.rows?.length}>
      <section class="card"><header><h2>{props.title}</h2></header><table class="data-table"><tbody><For each={props.rows}>{(r) => <tr><td class="mono">{r.name}</td><td class="num">{formatValue(r.value, props.unit)}</td></tr>}</For></tbody></table></section>
    </Show>
  );
}
