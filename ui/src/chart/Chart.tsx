// A time series chart: uPlot with our tooltip, resizing, synced cursor and drag to zoom.
import { createEffect, on, onCleanup, onMount } from "solid-js";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./chart.css";
import { theme } from "../app/theme";
import { formatDateTime, type Range } from "../lib/time";
import { formatValue } from "../lib/units";
import { buildPlot, structureKey } from "./options";
import type { ChartModel } from "./model";

/** Rows a tooltip shows at most; the ones nearest to the pointer's value are kept. */
const TOOLTIP_ROWS = 14;
/** Further than this from the nearest point there is nothing to say about the pointer's time. */
const FAR_PX = 50;

export function Chart(props: { model: ChartModel; syncKey?: string; onZoom?: (range: Range) => void; label?: string }) {
  let host!: HTMLDivElement;
  // The tooltip hangs on the body: panels clip what leaves them.
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  let plot: uPlot | undefined;
  let key = "";

  const size = () => ({ width: Math.max(40, host.clientWidth), height: Math.max(40, host.clientHeight) });

  function draw(): void {
    const model = props.model;
    const nextKey = structureKey(model, theme());
    const built = buildPlot(model, theme(), props.syncKey);
    if (plot && nextKey === key) {
      // The x scale's range function reads the model it was built with, so the new window is set by hand.
      plot.batch(() => {
        plot!.setData(built.data, false);
        plot!.scales.x!.range = () => [model.range.from, model.range.to];
        plot!.setScale("x", { min: model.range.from, max: model.range.to });
      });
      return;
    }
    key = nextKey;
    plot?.destroy();
    const options: uPlot.Options = { ...built.options, ...size() };
    options.hooks = {
      ...options.hooks,
      setCursor: [(u) => showTip(u, tip, props.model)],
      setSelect: [select],
    };
    plot = new uPlot(options, built.data, host);
  }

  function select(u: uPlot): void {
    const { left, width } = u.select;
    if (width < 4) return;
    const from = u.posToVal(left, "x");
    const to = u.posToVal(left + width, "x");
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (to - from >= 1000) props.onZoom?.({ from: Math.round(from), to: Math.round(to) });
  }

  onMount(() => {
    document.body.append(tip);
    draw();
    const observer = new ResizeObserver(() => plot?.setSize(size()));
    observer.observe(host);
    onCleanup(() => observer.disconnect());
  });
  createEffect(on([() => props.model, theme], () => host && draw(), { defer: true }));
  onCleanup(() => {
    plot?.destroy();
    plot = undefined;
    tip.remove();
  });

  return (
    <div class="chart" ref={host} role="img" aria-label={props.label ?? "Time series chart"} onMouseLeave={() => (tip.hidden = true)} />
  );
}

function showTip(u: uPlot, tip: HTMLDivElement, model: ChartModel): void {
  const { idx, left, top } = u.cursor;
  const mode = model.tooltip?.mode ?? "multi";
  // A cursor that was synced from another chart draws its line here but no tooltip.
  const own = u.over.matches(":hover");
  const far = idx !== null && idx !== undefined && Math.abs(u.valToPos(u.data[0]![idx]!, "x") - (left ?? 0)) > FAR_PX;
  if (mode === "none" || idx === null || idx === undefined || left === undefined || left < 0 || !own || far) {
    tip.hidden = true;
    return;
  }
  const pointerValue = (i: number) => Math.abs(u.valToPos(rawAt(u, i) ?? Infinity, u.series[i + 1]!.scale!) - (top ?? 0));
  let rows = model.series
    .map((s, i) => ({ s, i, v: valueAt(s.times, s.values, u.data[0]![idx]!) }))
    .filter((r) => !r.s.hidden && r.v !== null);
  if (rows.length === 0) {
    tip.hidden = true;
    return;
  }
  const nearest = rows.reduce((a, b) => (pointerValue(b.i) < pointerValue(a.i) ? b : a));
  if (mode === "single") rows = [nearest];
  const sort = model.tooltip?.sort ?? "none";
  if (sort !== "none") rows.sort((a, b) => (sort === "desc" ? b.v! - a.v! : a.v! - b.v!));
  const more = rows.length - TOOLTIP_ROWS;
  if (more > 0) {
    const at = Math.max(0, Math.min(more, rows.indexOf(nearest) - TOOLTIP_ROWS / 2));
    rows = rows.slice(at, at + TOOLTIP_ROWS);
  }
  const list = rows.map(({ s, i, v }) => {
    const row = el("div", i === nearest.i && model.series.length > 1 ? "tip-row near" : "tip-row");
    const dot = el("span", "tip-dot");
    dot.style.background = s.color;
    row.append(dot, el("span", "tip-name", s.name), el("span", "tip-value", s.format ? s.format(v!) : formatValue(v, s.unit, s.decimals)));
    return row;
  });
  tip.replaceChildren(el("div", "tip-time", formatDateTime(u.data[0]![idx]!)), ...list, ...(more > 0 ? [el("div", "tip-more", `${more} more`)] : []));
  tip.hidden = false;
  placeTip(u, tip, left, top ?? 0);

  function rawAt(plot: uPlot, i: number): number | null {
    return (plot.data[i + 1]?.[idx!] as number | null | undefined) ?? null;
  }
}

// Stacked charts draw sums; the tooltip must show the series' own value, so it is looked up by time.
function valueAt(times: number[], values: (number | null)[], t: number): number | null {
  let lo = 0;
  let hi = times.length - 1;
  while (lo <= hi) {
    const mid = (lo + hi) >> 1;
    if (times[mid]! < t) lo = mid + 1;
    else if (times[mid]! > t) hi = mid - 1;
    else {
      const v = values[mid];
      return typeof v === "number" && !Number.isNaN(v) ? v : null;
    }
  }
  return null;
}

function placeTip(u: uPlot, tip: HTMLDivElement, left: number, top: number): void {
  const over = u.over.getBoundingClientRect();
  const x = over.left + left;
  const y = over.top + top;
  const { width, height } = tip.getBoundingClientRect();
  const toLeft = x + 16 + width > window.innerWidth;
  tip.style.left = `${Math.max(4, toLeft ? x - 16 - width : x + 16)}px`;
  tip.style.top = `${Math.min(Math.max(4, y - height / 2), window.innerHeight - height - 4)}px`;
}

function el(tag: string, className: string, text?: string): HTMLElement {
  const e = document.createElement(tag);
  e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}
