// Old dashboard shapes, converted to today's: `rows[]` to a grid, `graph` to time series, `singlestat` to stat.
import { list } from "../lib/list";
import type { FieldOptions, Override } from "./fieldConfig";
import type { Panel } from "./model";

export function panelsFromRows(rows: any[]): any[] {
  const out: any[] = [];
  let y = 0;
  for (const row of rows) {
    const titled = row.showTitle || row.collapse || row.repeat;
    const h = rowHeight(row.height);
    const placed: any[] = [];
    let x = 0;
    let top = titled ? y + 1 : y;
    for (const panel of list(row.panels)) {
      const w = Math.min(24, Math.max(1, Math.round(Number(panel.span ?? 12) * 2)));
      if (x + w > 24) (x = 0), (top += h);
      placed.push({ ...panel, gridPos: { x, y: top, w, h } });
      x += w;
    }
    if (titled) out.push({ type: "row", title: row.title, collapsed: !!row.collapse, repeat: row.repeat, gridPos: { x: 0, y, w: 24, h: 1 }, panels: row.collapse ? placed : [] });
    if (!row.collapse) out.push(...placed);
    y = row.collapse ? y + 1 : top + (placed.length ? h : 0);
  }
  return out;
}

// Grid rows are 30 px with 8 px between them.
function rowHeight(height: unknown): number {
  const px = typeof height === "number" ? height : parseInt(String(height ?? "250"), 10) || 250;
  return Math.max(3, Math.ceil(px / 38));
}

export function fromGraph(panel: Panel, raw: any): Panel {
  const axis = raw.yaxes?.[0] ?? {};
  const spanNulls = raw.nullPointMode === "connected";
  const defaults: FieldOptions = {
    unit: axis.format,
    min: number(axis.min),
    max: number(axis.max),
    decimals: number(raw.decimals),
    color: { mode: "palette-classic" },
    custom: {
      drawStyle: raw.bars && !raw.lines ? "bars" : raw.points && raw.lines === false ? "points" : "line",
      lineWidth: raw.linewidth ?? 1,
      fillOpacity: (raw.fill ?? 1) * 10,
      lineInterpolation: raw.steppedLine ? "stepAfter" : "linear",
      stacking: { mode: raw.stack ? (raw.percentage ? "percent" : "normal") : "none" },
      showPoints: raw.points ? "always" : "never",
      spanNulls,
      scaleDistribution: axis.logBase > 1 ? { type: "log", log: axis.logBase } : undefined,
    },
  };
  const overrides: Override[] = list(raw.seriesOverrides).map((o) => ({ matcher: aliasMatcher(String(o.alias ?? "")), properties: graphOverride(o, raw.yaxes?.[1]) }));
  for (const [name, color] of Object.entries(raw.aliasColors ?? {})) {
    overrides.push({ matcher: { id: "byName", options: name }, properties: [{ id: "color", value: { mode: "fixed", fixedColor: color } }] });
  }
  const legend = raw.legend ?? {};
  const calcs = ["min", "max", "avg", "current", "total"].filter((c) => legend[c]).map((c) => ({ avg: "mean", current: "lastNotNull", total: "sum" })[c] ?? c);
  return {
    ...panel,
    type: "timeseries",
    fieldConfig: { defaults, overrides },
    options: {
      legend: { showLegend: legend.show !== false, displayMode: legend.alignAsTable ? "table" : "list", placement: legend.rightSide ? "right" : "bottom", calcs: legend.values ? calcs : [] },
      tooltip: { mode: raw.tooltip?.shared === false ? "single" : "multi", sort: raw.tooltip?.sort === 2 ? "desc" : raw.tooltip?.sort === 1 ? "asc" : "none" },
    },
  };
}

function aliasMatcher(alias: string) {
  return alias.startsWith("/") ? { id: "byRegexp", options: alias } : { id: "byName", options: alias };
}

function graphOverride(o: any, rightAxis: any): { id: string; value: any }[] {
  const out: { id: string; value: any }[] = [];
  if (o.color) out.push({ id: "color", value: { mode: "fixed", fixedColor: o.color } });
  if (o.fill !== undefined) out.push({ id: "custom.fillOpacity", value: o.fill * 10 });
  if (o.linewidth !== undefined) out.push({ id: "custom.lineWidth", value: o.linewidth });
  if (o.transform === "negative-Y") out.push({ id: "custom.transform", value: "negative-Y" });
  if (o.bars) out.push({ id: "custom.drawStyle", value: "bars" });
  if (o.stack === false) out.push({ id: "custom.stacking", value: { mode: "none" } });
  if (o.dashes) out.push({ id: "custom.lineStyle", value: { fill: "dash", dash: [o.dashLength ?? 10, o.spaceLength ?? 10] } });
  if (o.yaxis === 2) {
    out.push({ id: "custom.axisPlacement", value: "right" });
    if (rightAxis?.format) out.push({ id: "unit", value: rightAxis.format });
  }
  return out;
}

const valueNames: Record<string, string> = { avg: "mean", current: "lastNotNull", total: "sum", first: "firstNotNull", min: "min", max: "max", delta: "delta", range: "range", diff: "diff" };

export function fromSinglestat(panel: Panel, raw: any): Panel {
  const bounds = String(raw.thresholds ?? "").split(",").map((t) => t.trim()).filter((t) => t !== "").map(Number);
  const colors: string[] = raw.colors ?? ["#299c46", "#ed8128", "#d44a3a"];
  const colored = raw.colorBackground || raw.colorValue;
  const mappings = [...list(raw.valueMaps).map((m) => ({ type: 1, value: String(m.value), text: m.text })), ...list(raw.rangeMaps).map((m) => ({ type: 2, from: m.from, to: m.to, text: m.text }))];
  const suffix = [raw.prefix ? `${raw.prefix} ` : "", raw.postfix ?? ""];
  return {
    ...panel,
    type: raw.gauge?.show ? "gauge" : "stat",
    fieldConfig: {
      defaults: {
        unit: suffix[1] && (!raw.format || raw.format === "none") ? `suffix:${suffix[1]}` : raw.format,
        decimals: number(raw.decimals),
        min: number(raw.gauge?.minValue),
        max: number(raw.gauge?.maxValue),
        noValue: raw.nullText ?? undefined,
        mappings,
        color: { mode: "thresholds" },
        thresholds: { mode: "absolute", steps: colored || raw.gauge?.show ? colors.slice(0, bounds.length + 1).map((color, i) => ({ color, value: i === 0 ? null : bounds[i - 1]! })) : [{ color: "text", value: null }] },
      },
      overrides: [],
    },
    options: {
      colorMode: raw.colorBackground ? "background" : "value",
      graphMode: raw.sparkline?.show ? "area" : "none",
      reduceOptions: { calcs: [valueNames[raw.valueName] ?? "lastNotNull"], values: false, fields: "" },
    },
  };
}

function number(v: unknown): number | undefined {
  if (v === null || v === undefined || v === "") return undefined;
  const n = Number(v);
  return Number.isNaN(n) ? undefined : n;
}
