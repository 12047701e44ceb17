// Translates a chart model into uPlot options and data.
import uPlot from "uplot";
import type { Theme } from "../lib/colors";
import { withAlpha } from "../lib/colors";
import { align } from "../lib/frames";
import { formatter, joinFormatted } from "../lib/units";
import { binaryIncrements, isBinaryUnit, stack, tickText, type ChartModel, type ChartSeries, type Marker } from "./model";

export interface Plot {
  options: Omit<uPlot.Options, "width" | "height">;
  data: uPlot.AlignedData;
}

interface Colors {
  grid: string;
  text: string;
}

const colors: Record<Theme, Colors> = {
  dark: { grid: "rgba(170,190,215,0.10)", text: "#93a1b1" },
  light: { grid: "rgba(30,50,80,0.10)", text: "#5d6a78" },
};

const font = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif';
/** Beyond this many series the hover points cost more frames than they help. */
const MAX_HOVER_POINTS = 16;

export function buildPlot(model: ChartModel, theme: Theme, syncKey: string | undefined): Plot {
  const [times, ...aligned] = align(model.series);
  const shown = model.series.map((s) => !s.hidden);
  const transformed = aligned.map((c, i) => (shown[i] ? c : c.map(() => null)));
  const groups = model.series.map((s, i) => (s.stack && shown[i] ? `${s.stack.group}:${scaleKey(s)}` : null));
  const stacked = stack(transformed as (number | null)[][], groups, model.series.map((s) => s.stack?.mode === "percent"));
  const scales = scalesOf(model.series);
  const options: Plot["options"] = {
    padding: [8, 8, 0, 0],
    legend: { show: false },
    ms: 1,
    cursor: {
      points: { show: model.series.length <= MAX_HOVER_POINTS, size: 7, width: 1.5 },
      drag: { x: true, y: false, dist: 6 },
      focus: { prox: 24 },
      sync: syncKey ? { key: syncKey, setSeries: false, scales: ["x", null] } : undefined,
    },
    focus: { alpha: model.series.length > 1 ? 0.35 : 1 },
    scales: { x: { time: true, range: () => [model.range.from, model.range.to] }, ...scales.scales },
    axes: [timeAxis(theme), ...scales.axes.map((a) => valueAxis(a, theme))],
    series: [{}, ...model.series.map((s, i) => plotSeries(s, stacked.base[i] ?? -1))],
    bands: stacked.base.flatMap((b, i) => (b >= 0 && shown[i] && model.series[i]!.draw !== "bars" ? [{ series: [i + 1, b + 1] as [number, number], fill: fillColor(model.series[i]!) ?? "transparent" }] : [])),
    hooks: { drawAxes: model.markers?.length ? [(u) => drawMarkers(u, model.markers!, scales.first)] : [] },
  };
  return { options, data: [times, ...stacked.columns] as uPlot.AlignedData };
}

/** Everything that needs a new uPlot instance when it changes; data and range do not. */
export function structureKey(model: ChartModel, theme: Theme): string {
  const series = model.series.map((s) => [s.name, s.color, s.unit, s.decimals, s.draw, s.width, s.fill, s.gradient, s.interpolation, s.dash, s.points, s.spanNulls, s.stack, s.axis, s.hidden]);
  return JSON.stringify([theme, series, model.markers]);
}

function scaleKey(s: ChartSeries): string {
  const a = s.axis;
  return [s.unit ?? "", a?.side === "right" ? "r" : "l", a?.min ?? "", a?.max ?? "", a?.log ?? "", a?.label ?? ""].join("|");
}

interface AxisSpec {
  key: string;
  side: "left" | "right" | "hidden";
  unit?: string;
  decimals?: number | null;
  label?: string;
  log?: number;
  percent: boolean;
}

function scalesOf(series: ChartSeries[]): { scales: uPlot.Scales; axes: AxisSpec[]; first: string } {
  const scales: Record<string, uPlot.Scale> = {};
  const axes: AxisSpec[] = [];
  for (const s of series) {
    const key = scaleKey(s);
    if (scales[key]) continue;
    const a = s.axis;
    const percent = s.stack?.mode === "percent";
    const log = a?.log && a.log > 1 ? a.log : undefined;
    const zero = series.some((x) => scaleKey(x) === key && ((x.fill ?? 0) > 0 || x.draw === "bars" || x.stack));
    scales[key] = {
      distr: log ? 3 : 1,
      log: log === 2 ? 2 : 10,
      range: (_u, dataMin, dataMax) => valueRange(dataMin, dataMax, { min: a?.min ?? (percent ? 0 : null), max: a?.max ?? (percent ? 1 : null), softMin: a?.softMin, softMax: a?.softMax, zero: zero && !log, log, centered: a?.centered, flatPercent: s.unit === "percentunit" }),
    };
    // The first axis goes left; further units go right unless they say otherwise.
    const side = a?.side === "hidden" ? "hidden" : a?.side === "right" || (axes.some((x) => x.side === "left") && a?.side !== "left") ? "right" : "left";
    axes.push({ key, side, unit: percent ? "percentunit" : s.unit, decimals: s.decimals, label: a?.label, log, percent });
  }
  if (axes.length === 0) {
    scales.y = { range: () => [0, 1] };
    axes.push({ key: "y", side: "left", percent: false });
  }
  return { scales, axes, first: axes[0]!.key };
}

interface RangeWish {
  min?: number | null;
  max?: number | null;
  softMin?: number;
  softMax?: number;
  zero: boolean;
  log?: number;
  centered?: boolean;
  flatPercent: boolean;
}

export function valueRange(dataMin: number | null, dataMax: number | null, wish: RangeWish): [number, number] {
  let lo = dataMin ?? 0;
  let hi = dataMax ?? 1;
  if (wish.log) {
    const low = Math.max(wish.min ?? lo, Number.MIN_VALUE);
    const safe = low > 0 && Number.isFinite(low) ? low : 1e-3;
    return uPlot.rangeLog(safe, Math.max(wish.max ?? hi, safe * 10), (wish.log === 2 ? 2 : 10) as 2 | 10, true) as [number, number];
  }
  if (wish.softMin !== undefined) lo = Math.min(lo, wish.softMin);
  if (wish.softMax !== undefined) hi = Math.max(hi, wish.softMax);
  if (wish.zero) {
    lo = Math.min(lo, 0);
    hi = Math.max(hi, 0);
  }
  if (wish.centered) {
    const far = Math.max(Math.abs(lo), Math.abs(hi));
    lo = -far;
    hi = far;
  }
  if (lo === hi) {
    // A constant series gets room around it: from zero up, or a band when it is zero itself.
    if (hi === 0) hi = wish.flatPercent ? 0.1 : 1;
    else if (hi > 0) (lo = wish.zero ? 0 : hi * 0.5), (hi = hi * 1.2);
    else (hi = 0), (lo = lo * 1.2);
  }
  const pad = (hi - lo) * 0.08;
  const autoLo = lo === 0 || (lo > 0 && lo - pad < 0) ? (lo >= 0 ? Math.max(0, lo - pad) : lo - pad) : lo - pad;
  const min = wish.min ?? (wish.zero && lo === 0 ? 0 : autoLo);
  const max = wish.max ?? (hi === 0 && lo < 0 ? 0 : hi + pad);
  return min < max ? [min, max] : [min, min + 1];
}

function timeAxis(theme: Theme): uPlot.Axis {
  return {
    stroke: colors[theme].text,
    font,
    size: 22,
    gap: 4,
    space: 70,
    grid: { stroke: colors[theme].grid, width: 1 },
    ticks: { show: false },
    values: (_u, splits, _axis, _space, incr) => splits.map((ms) => tickText(ms, incr)),
  };
}

function valueAxis(a: AxisSpec, theme: Theme): uPlot.Axis {
  const format = formatter(a.unit);
  const text = (v: number) => {
    const f = format(v, a.decimals);
    return joinFormatted(a.decimals === null || a.decimals === undefined ? { ...f, text: trimZeros(f.text) } : f);
  };
  return {
    scale: a.key,
    side: a.side === "right" ? 1 : 3,
    show: a.side !== "hidden",
    stroke: colors[theme].text,
    font,
    label: a.label || undefined,
    labelFont: font,
    labelSize: 18,
    gap: 5,
    space: 26,
    incrs: isBinaryUnit(a.unit) && !a.log ? binaryIncrements() : undefined,
    grid: { show: a.side === "left", stroke: colors[theme].grid, width: 1 },
    ticks: { show: false },
    values: (_u, splits) => splits.map((v) => (v === null ? "" : text(v))),
    size: (u, values) => {
      const widest = Math.max(0, ...(values ?? []).map((v) => measure(u, v)));
      return Math.ceil(widest) + 12;
    },
  };
}

function measure(u: uPlot, text: string): number {
  u.ctx.save();
  u.ctx.font = font;
  const { width } = u.ctx.measureText(text ?? "");
  u.ctx.restore();
  return width;
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function fillColor(s: ChartSeries): string | undefined {
  const alpha = s.draw === "bars" ? Math.max(s.fill ?? 0, 40) / 100 : (s.fill ?? 0) / 100;
  return alpha > 0 && s.draw !== "points" ? withAlpha(s.color, alpha) : undefined;
}

function plotSeries(s: ChartSeries, base: number): uPlot.Series {
  return {
    label: s.name,
    scale: scaleKey(s),
    show: !s.hidden,
    stroke: s.color,
    width: s.draw === "points" ? 0 : (s.width ?? 1),
    dash: s.dash,
    spanGaps: s.spanNulls ?? false,
    fill: base >= 0 && s.draw !== "bars" ? undefined : gradientOrFlat(s),
    paths: pathsOf(s, base),
    points: { show: s.draw === "points" || s.points === "always", filter: isolatedOnly, size: s.draw === "points" ? 5 : 4, stroke: s.color, fill: s.color },
  };
}

// Even with points off, a sample with gaps on both sides must be visible: a line cannot show it.
const isolatedOnly: uPlot.Series.Points.Filter = (u, seriesIdx, show) => {
  if (show) return null;
  const values = u.data[seriesIdx]!;
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  return found.length > 0 ? found : null;
};

function gradientOrFlat(s: ChartSeries): uPlot.Series.Fill | undefined {
  const flat = fillColor(s);
  if (!flat || !s.gradient) return flat;
  return (u) => {
    const { top, height } = u.bbox;
    if (!Number.isFinite(top) || !Number.isFinite(height) || height <= 0) return flat;
    const g = u.ctx.createLinearGradient(0, top, 0, top + height);
    g.addColorStop(0, flat);
    g.addColorStop(1, withAlpha(s.color, 0.02));
    return g;
  };
}

function pathsOf(s: ChartSeries, base: number): uPlot.Series.PathBuilder | undefined {
  const p = uPlot.paths;
  if (s.draw === "bars") return barsOn(base);
  if (s.draw === "points") return () => null;
  switch (s.interpolation) {
    case "smooth": return p.spline!();
    case "stepBefore": return p.stepped!({ align: -1 });
    case "stepAfter": return p.stepped!({ align: 1 });
    default: return undefined;
  }
}

/** Bars that stand on the series below them, or on zero; uPlot's own always reach down to zero. */
function barsOn(base: number): uPlot.Series.PathBuilder {
  return (u, si, i0, i1) => {
    const path = new Path2D();
    const [times, values, below] = [u.data[0]!, u.data[si]!, base >= 0 ? u.data[base + 1] : undefined];
    const scale = u.series[si]!.scale!;
    let step = Infinity;
    for (let i = 1; i < times.length; i++) step = Math.min(step, times[i]! - times[i - 1]!);
    const slot = Number.isFinite(step) ? u.valToPos(times[0]! + step, "x", true) - u.valToPos(times[0]!, "x", true) : u.bbox.width / 10;
    const width = Math.max(1, Math.min(slot * 0.8, slot - devicePixelRatio, 60 * devicePixelRatio));
    for (let i = i0; i <= i1; i++) {
      const v = values[i];
      if (v === null || v === undefined) continue;
      const top = u.valToPos(v, scale, true);
      const bottom = u.valToPos(below?.[i] ?? Math.max(0, u.scales[scale]!.min ?? 0), scale, true);
      path.rect(Math.round(u.valToPos(times[i]!, "x", true) - width / 2), Math.min(top, bottom), width, Math.abs(bottom - top));
    }
    return { stroke: path, fill: path, flags: 1 };
  };
}

function drawMarkers(u: uPlot, markers: Marker[], scale: string): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const m of markers) {
    const y = Number.isFinite(m.value) ? u.valToPos(m.value, scale, true) : bbox.top + bbox.height;
    if (m.style === "area") {
      const top = m.until === undefined ? bbox.top : u.valToPos(m.until, scale, true);
      ctx.fillStyle = withAlpha(m.color, 0.1);
      ctx.fillRect(bbox.left, top, bbox.width, y - top);
      continue;
    }
    ctx.strokeStyle = withAlpha(m.color, 0.85);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash(m.style === "dashed" ? [8 * devicePixelRatio, 6 * devicePixelRatio] : []);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}
