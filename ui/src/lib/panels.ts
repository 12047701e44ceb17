// The query page's state in its URL, in Prometheus' own terms (`g0.expr`, `g0.tab`, `g0.range_input`, …), so that
// links into the original open here and the other way round.
import { parseDuration } from "./time";

export type Tab = "table" | "graph" | "explain";

export interface PanelState {
  expr: string;
  tab: Tab;
  /** How much time the graph shows. */
  rangeMs: number;
  /** End of the graph and moment of the table, in epoch milliseconds; undefined is now. */
  endMs?: number;
  /** A fixed step; undefined fits the step to the width. */
  stepMs?: number;
  stacked: boolean;
  exemplars: boolean;
}

export const emptyPanel = (): PanelState => ({ expr: "", tab: "table", rangeMs: 3_600_000, stacked: false, exemplars: false });

/** More panels than this in one link are a mistake. */
const PANELS_MAX = 50;

const tabs: Record<string, Tab> = { "0": "graph", "1": "table", graph: "graph", table: "table", explain: "explain", tree: "explain" };

export function readPanels(query: URLSearchParams): PanelState[] {
  const panels: PanelState[] = [];
  for (let i = 0; i < PANELS_MAX; i++) {
    const get = (key: string) => query.get(`g${i}.${key}`) ?? undefined;
    const expr = get("expr");
    if (expr === undefined) break;
    const time = (text?: string) => {
      const ms = text ? Date.parse(`${text.trim().replace(" ", "T")}Z`) : NaN;
      return Number.isNaN(ms) ? undefined : ms;
    };
    const step = Number(get("res_type") === "fixed" ? get("res_step") : get("step_input"));
    panels.push({
      expr,
      tab: tabs[get("tab") ?? "1"] ?? "table",
      rangeMs: parseDuration(get("range_input") ?? "") || 3_600_000,
      endMs: time(get("end_input")) ?? time(get("moment_input")),
      stepMs: step > 0 ? step * 1000 : undefined,
      stacked: get("display_mode") === "stacked" || get("stacked") === "1",
      exemplars: get("show_exemplars") === "1",
    });
  }
  // A bare `?expr=` is our own short form.
  if (panels.length === 0) panels.push({ ...emptyPanel(), expr: query.get("expr") ?? "", tab: query.has("expr") ? "graph" : "table" });
  return panels;
}

/** The query parameters of the panels. What is as usual is left out. */
export function writePanels(panels: readonly PanelState[]): Record<string, string> {
  const out: Record<string, string> = {};
  panels.forEach((p, i) => {
    const set = (key: string, value: string) => (out[`g${i}.${key}`] = value);
    set("expr", p.expr);
    set("tab", p.tab);
    set("range_input", promDuration(p.rangeMs));
    if (p.endMs !== undefined) set(p.tab === "graph" ? "end_input" : "moment_input", new Date(p.endMs).toISOString().slice(0, 19).replace("T", " "));
    if (p.stepMs !== undefined) (set("res_type", "fixed"), set("res_step", String(p.stepMs / 1000)));
    if (p.stacked) set("display_mode", "stacked");
    if (p.exemplars) set("show_exemplars", "1");
  });
  return out;
}

const units: [string, number][] = [["w", 604_800_000], ["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000], ["ms", 1]];

/** `1h30m`: the way PromQL writes durations. */
export function promDuration(ms: number): string {
  let rest = Math.round(ms);
  let text = "";
  for (const [unit, size] of units) {
    if (rest < size || (unit === "w" && rest % size !== 0)) continue;
    text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return text || "0s";
}
