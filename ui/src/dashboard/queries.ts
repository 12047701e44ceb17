// Turns the visible panels into the body of one /api/ds/query request.
//
// Every query's refId is `<panelId>/<refId>`, so that the answer can be handed back to its panel. Panels with a
// time range of their own (timeFrom, timeShift) carry it on the query.
import type { Datasource } from "../api/grafana";
import { chartInterval, parseDuration, parseTime, type Range } from "../lib/time";
import { interpolate, type Scope } from "../lib/variables";
import { resolveDatasource } from "./datasource";
import { panelScope } from "./layout";
import type { Panel, Target } from "./model";

export interface PanelQueries {
  queries: Record<string, unknown>[];
  range: Range;
  intervalMs: number;
  error?: string;
}

/** Points beyond the panel's width in pixels cannot be seen. */
const DEFAULT_WIDTH_PX = 600;

export function panelQueries(panel: Panel, widthPx: number, range: Range, scope: Scope, datasources: Datasource[]): PanelQueries {
  const own = panelScope(panel, scope);
  const ownRange = panelRange(panel, range);
  const maxDataPoints = panel.maxDataPoints || Math.max(50, Math.round(widthPx) || DEFAULT_WIDTH_PX);
  const minInterval = parseDuration(interpolate(panel.interval ?? "", own).replace(/^>/, "")) ?? 0;
  const intervalMs = chartInterval(ownRange, maxDataPoints, minInterval);
  const queries: Record<string, unknown>[] = [];
  for (const target of panel.targets) {
    if (target.hide || !hasQuery(target)) continue;
    const source = resolveDatasource([target.datasource, panel.datasource], datasources, own);
    if ("error" in source) return { queries: [], range: ownRange, intervalMs, error: source.error };
    const query = buildQuery(panel, target, source, own, intervalMs, maxDataPoints);
    if (ownRange !== range) query.timeRange = { from: String(ownRange.from), to: String(ownRange.to) };
    queries.push(query);
  }
  return { queries, range: ownRange, intervalMs };
}

export function hasQuery(target: Target): boolean {
  return typeof target.expr === "string" && target.expr.trim() !== "";
}

function buildQuery(panel: Panel, target: Target, source: { uid: string; type: string }, scope: Scope, intervalMs: number, maxDataPoints: number): Record<string, unknown> {
  const targetInterval = target.interval ? interpolate(target.interval, scope) : undefined;
  const out: Record<string, unknown> = {
    refId: `${panel.id}/${target.refId}`,
    datasource: { uid: source.uid, type: source.type },
    expr: interpolate(target.expr!, scope, "promql"),
    intervalMs,
    maxDataPoints,
  };
  if (targetInterval) out.interval = targetInterval;
  if (typeof target.legendFormat === "string") out.legendFormat = interpolate(target.legendFormat, scope, "text");
  if (source.type === "loki") {
    out.queryType = target.queryType || (target.instant ? "instant" : "range");
    out.maxLines = target.maxLines ?? 500;
    return out;
  }
  out.format = target.format ?? "time_series";
  out.instant = !!target.instant;
  out.range = target.range ?? !target.instant;
  if (target.intervalFactor) out.intervalFactor = target.intervalFactor;
  return out;
}

function panelRange(panel: Panel, range: Range): Range {
  let out = range;
  if (panel.timeFrom) {
    const from = parseTime(panel.timeFrom.startsWith("now") ? panel.timeFrom : `now-${panel.timeFrom}`, range.to);
    if (from !== null) out = { from, to: range.to };
  }
  const shift = panel.timeShift ? parseDuration(panel.timeShift) : null;
  return shift ? { from: out.from - shift, to: out.to - shift } : out;
}
