// Reads any dashboard JSON from schemaVersion 12 upward into the model that the page draws.
//
// Old files differ in two ways that matter for drawing: panels sit in `rows[]` with a width of 12 columns,
// and charts are `graph` and `singlestat` panels whose options have other names.
import { list } from "../lib/list";
import type { Dashboard, GridPos, Panel, Target } from "./model";

type Legacy = typeof import("./legacy");

export async function readDashboard(json: any): Promise<Dashboard> {
  const legacy = isLegacy(json) ? await import("./legacy") : undefined;
  const panels: any[] = legacy && Array.isArray(json?.rows) && json.rows.length > 0 ? legacy.panelsFromRows(json.rows) : list(json?.panels);
  const ids = new Set<number>();
  return {
    uid: json?.uid ?? "",
    title: json?.title ?? "Untitled",
    description: json?.description,
    tags: list(json?.tags),
    panels: panels.map((p) => readPanel(p, ids, legacy)),
    variables: list(json?.templating?.list),
    time: { from: json?.time?.from ?? "now-6h", to: json?.time?.to ?? "now" },
    refresh: typeof json?.refresh === "string" ? json.refresh : "",
    graphTooltip: json?.graphTooltip ?? (json?.sharedCrosshair ? 1 : 0),
    links: list(json?.links),
  };
}

const oldTypes = new Set(["graph", "singlestat", "grafana-singlestat-panel"]);

function isLegacy(json: any): boolean {
  const old = (p: any): boolean => oldTypes.has(p?.type) || list(p?.panels).some(old);
  return list(json?.rows).length > 0 || list(json?.panels).some(old);
}

function readPanel(raw: any, ids: Set<number>, legacy: Legacy | undefined): Panel {
  let id = Number(raw?.id);
  if (!Number.isInteger(id) || id <= 0 || ids.has(id)) for (id = 1; ids.has(id); ) id++;
  ids.add(id);
  const grid: GridPos = { x: 0, y: 0, w: 12, h: 8, ...raw?.gridPos };
  const panel: Panel = {
    ...raw,
    id,
    type: raw?.type ?? "timeseries",
    gridPos: grid,
    targets: list(raw?.targets).map(readTarget),
    fieldConfig: { defaults: raw?.fieldConfig?.defaults ?? {}, overrides: list(raw?.fieldConfig?.overrides) },
    options: raw?.options ?? {},
    panels: list(raw?.panels).map((p) => readPanel(p, ids, legacy)),
  };
  if (legacy && oldTypes.has(panel.type)) return panel.type === "graph" ? legacy.fromGraph(panel, raw) : legacy.fromSinglestat(panel, raw);
  if (panel.type === "table-old" || (panel.type === "table" && Array.isArray(raw?.styles))) return { ...panel, type: "table" };
  if (panel.type === "text") return { ...panel, options: { mode: raw.mode ?? "markdown", content: raw.content ?? "", ...panel.options } };
  return panel;
}

function readTarget(raw: any, index: number): Target {
  return { ...raw, refId: raw?.refId || String.fromCharCode(65 + (index % 26)) };
}
