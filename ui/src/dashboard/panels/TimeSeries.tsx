import { createMemo, createSignal, Show } from "solid-js";
import { theme } from "../../app/theme";
import { resolveColor } from "../../lib/colors";
import { openGaps } from "../../lib/frames";
import { absoluteSteps } from "../../lib/mappings";
import { Chart } from "../../chart/Chart";
import { Legend } from "../../chart/Legend";
import type { ChartModel, ChartSeries, Marker } from "../../chart/model";
import { shownText } from "../fieldConfig";
import { configuredSeries, type Configured } from "../fields";
import type { PanelProps } from "./props";

export default function TimeSeries(props: PanelProps) {
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set());
  const configured = createMemo(() => configuredSeries(props.panel, props.frames, props.scope, theme()).filter((c) => !c.options.custom?.hideFrom?.viz));
  const series = createMemo(() => configured().map((c) => chartSeries(c, props.intervalMs)));
  const model = createMemo((): ChartModel => {
    const tooltip = props.panel.options.tooltip ?? {};
    return {
      series: series().map((s) => ({ ...s, hidden: hidden().has(s.name) })),
      range: props.range,
      markers: markers(configured()),
      tooltip: { mode: tooltip.mode ?? "multi", sort: tooltip.sort ?? "none" },
    };
  });
  const legend = () => props.panel.options.legend ?? { displayMode: "list", placement: "bottom" };
  const legendSeries = () => series().filter((_, i) => !configured()[i]!.options.custom?.hideFrom?.legend);
  const showLegend = () => legend().showLegend !== false && legend().displayMode !== "hidden";
  return (
    <div class="ts" classList={{ side: legend().placement === "right" }}>
      <div class="ts-chart">
        <Chart model={model()} syncKey={props.syncKey} onZoom={props.onZoom} label={`${props.panel.title ?? "Chart"}: ${series().length} series`} />
      </div>
      <Show when={showLegend()}>
        <Legend series={legendSeries()} options={legend()} hidden={hidden()} onHidden={setHidden} />
      </Show>
    </div>
  );
}

const dashes: Record<string, number[] | undefined> = { dash: [10, 10], dot: [2, 6] };

function chartSeries(c: Configured, intervalMs: number): ChartSeries {
  const o = c.options;
  const custom = o.custom ?? {};
  const spanNulls = custom.spanNulls === true || typeof custom.spanNulls === "number";
  const raw = custom.transform === "negative-Y" ? c.field.values.map((v) => (typeof v === "number" ? -v : v)) : c.field.values;
  // Points further apart than the query's step mean that nothing was measured in between.
  const step = c.field.config.interval ?? (intervalMs || 0);
  const gapped = spanNulls ? { times: c.times!, values: raw } : openGaps(c.times!, raw, Math.max(step, typicalStep(c.times!)));
  const stacking = custom.stacking?.mode;
  const placement = custom.axisPlacement;
  return {
    name: c.name,
    color: c.color,
    times: gapped.times,
    values: gapped.values,
    unit: o.unit,
    decimals: o.decimals,
    draw: custom.drawStyle === "bars" || custom.drawStyle === "points" ? custom.drawStyle : "line",
    width: custom.lineWidth ?? 1,
    fill: custom.fillOpacity ?? 0,
    gradient: custom.gradientMode !== undefined && custom.gradientMode !== "none",
    interpolation: custom.lineInterpolation,
    dash: custom.lineStyle?.fill && custom.lineStyle.fill !== "solid" ? (custom.lineStyle.dash ?? dashes[custom.lineStyle.fill]) : undefined,
    points: custom.showPoints === "always" || custom.showPoints === "never" ? custom.showPoints : "auto",
    spanNulls,
    stack: stacking === "normal" || stacking === "percent" ? { mode: stacking, group: custom.stacking?.group ?? "A" } : undefined,
    axis: {
      side: placement === "right" || placement === "left" || placement === "hidden" ? placement : undefined,
      label: custom.axisLabel || undefined,
      min: o.min,
      max: o.max,
      softMin: custom.axisSoftMin,
      softMax: custom.axisSoftMax,
      log: custom.scaleDistribution?.type === "log" ? (custom.scaleDistribution.log ?? 2) : undefined,
      centered: custom.axisCenteredZero,
    },
    format: (v) => shownText(c.display(v)),
  };
}

/** Most common distance between points: instant-like series may be coarser than the step that was asked for. */
function typicalStep(times: number[]): number {
  if (times.length < 3) return Infinity;
  let smallest = Infinity;
  for (let i = 1; i < Math.min(times.length, 50); i++) smallest = Math.min(smallest, times[i]! - times[i - 1]!);
  return smallest;
}

function markers(all: Configured[]): Marker[] {
  const first = all.find((c) => (c.options.custom?.thresholdsStyle?.mode ?? "off") !== "off");
  if (!first) return [];
  const mode: string = first.options.custom!.thresholdsStyle.mode;
  const steps = absoluteSteps(first.options.thresholds, first.options.min ?? 0, first.options.max ?? 100).map((s) => ({ ...s, color: resolveColor(s.color, theme()) }));
  const out: Marker[] = [];
  if (mode.includes("area")) steps.forEach((s, i) => out.push({ value: s.value, color: s.color, style: "area", until: steps[i + 1]?.value }));
  if (mode.includes("line") || mode.includes("dashed")) {
    for (const s of steps) if (Number.isFinite(s.value)) out.push({ value: s.value, color: s.color, style: mode.includes("dashed") ? "dashed" : "line" });
  }
  return out;
}
