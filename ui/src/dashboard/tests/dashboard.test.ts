// From the dashboard file to queries and fields.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeFrame } from "../../lib/frames";
import type { VariableValue } from "../../lib/variables";
import { resolveDatasource } from "../datasource";
import { displayFor, resolveField, shownText } from "../fieldConfig";
import { layout } from "../layout";
import { readDashboard } from "../migrate";
import { panelQueries } from "../queries";
import { shaperFor } from "../shape";
import { transform } from "../transform";
import { more } from "../transformMore";
import { applyRegex, customOptions, loadVariables, select, sortOptions } from "../variables";

const sources = [
  { uid: "prometheus", name: "Prometheus", type: "prometheus", isDefault: true },
  { uid: "loki", name: "Loki", type: "loki" },
];
const range = { from: 0, to: 3_600_000 };
const scope = new Map<string, VariableValue>([["ds", { value: "loki", text: "Loki" }], ["job", { value: ["a", "b"], text: ["a", "b"], multi: true, options: ["a", "b"] }]]);

describe("data sources", () => {
  test.each([
    [[null, undefined], "prometheus"], [[{ uid: "loki" }], "loki"], [["Loki"], "loki"], [["$ds"], "loki"], [[{ uid: "${ds}" }], "loki"], [[{ uid: "-- Mixed --" }], "prometheus"],
    [[{ uid: "${DS_PROMETHEUS}", type: "prometheus" }], "prometheus"], [[undefined, { uid: "loki" }], "loki"], [["default"], "prometheus"],
  ] as const)("%j", (refs, uid) => expect(resolveDatasource([...refs], sources, scope)).toMatchObject({ uid }));
  test("unknown names are an error that says so", () => expect(resolveDatasource(["Influx"], sources, scope)).toEqual({ error: 'Data source "Influx" was not found.' }));
});

test("one panel's queries", async () => {
  const board = await readDashboard({
    panels: [{ id: 7, type: "timeseries", interval: "30s", gridPos: { x: 0, y: 0, w: 12, h: 8 }, targets: [
      { refId: "A", expr: 'rate(x{job=~"$job"}[$__rate_interval])', legendFormat: "{{job}} of $job" }, { refId: "B", expr: "y", hide: true }, { refId: "C", expr: '{a="b"}', datasource: { uid: "loki" }, maxLines: 20 }, { refId: "D", expr: "" },
    ] }],
  });
  const { queries, intervalMs } = panelQueries(board.panels[0]!, 720, range, scope, sources);
  expect(intervalMs).toBe(30_000);
  expect(queries).toEqual([
    { refId: "7/A", datasource: { uid: "prometheus", type: "prometheus" }, expr: 'rate(x{job=~"(a|b)"}[$__rate_interval])', legendFormat: "{{job}} of a + b", format: "time_series", instant: false, range: true, intervalMs: 30_000, maxDataPoints: 720 },
    { refId: "7/C", datasource: { uid: "loki", type: "loki" }, expr: '{a="b"}', queryType: "range", maxLines: 20, intervalMs: 30_000, maxDataPoints: 720 },
  ]);
});

test("a panel's own time goes with its queries", async () => {
  const board = await readDashboard({ panels: [{ id: 1, timeFrom: "10m", timeShift: "1h", targets: [{ expr: "x" }] }] });
  expect(panelQueries(board.panels[0]!, 600, { from: 0, to: 7_200_000 }, scope, sources).queries[0]!.timeRange).toEqual({ from: "3000000", to: "3600000" });
});

describe("old files", () => {
  test("rows become a grid", async () => {
    const board = await readDashboard({ rows: [{ height: "200px", panels: [{ id: 1, span: 6, type: "graph" }, { id: 2, span: 6, type: "singlestat" }] }, { title: "More", collapse: true, panels: [{ id: 3, span: 12, type: "graph" }] }] });
    expect(board.panels.map((p) => [p.type, p.gridPos.x, p.gridPos.y, p.gridPos.w])).toEqual([["timeseries", 0, 0, 12], ["stat", 12, 0, 12], ["row", 0, 6, 24]]);
    expect(board.panels[2]!.panels![0]!.type).toBe("timeseries");
  });
  test("graph and singlestat keep their look", async () => {
    const board = await readDashboard({ panels: [
      { id: 1, type: "graph", stack: true, fill: 3, yaxes: [{ format: "bytes", min: "0" }, { format: "percent" }], seriesOverrides: [{ alias: "/err/", yaxis: 2 }], legend: { show: true, avg: true, values: true, alignAsTable: true } },
      { id: 2, type: "singlestat", format: "percent", thresholds: "80,90", colorValue: true, colors: ["green", "orange", "red"], valueName: "avg" },
    ] });
    const [graph, stat] = board.panels;
    expect(graph!.fieldConfig.defaults).toMatchObject({ unit: "bytes", min: 0, custom: { fillOpacity: 30, stacking: { mode: "normal" } } });
    expect(resolveField(graph!.fieldConfig, { name: "err", displayName: "err", type: "number" })).toMatchObject({ unit: "percent", custom: { axisPlacement: "right" } });
    expect(graph!.options.legend).toMatchObject({ displayMode: "table", calcs: ["mean"] });
    expect(stat!.fieldConfig.defaults!.thresholds!.steps).toEqual([{ color: "green", value: null }, { color: "orange", value: 80 }, { color: "red", value: 90 }]);
    expect(stat!.options.reduceOptions.calcs).toEqual(["mean"]);
  });
  test("files of any content are read without failing", async () => {
    for (const odd of [null, {}, { panels: "x" }, { panels: [null, {}] }, { rows: [{}] }, { templating: 3 }]) await expect(readDashboard(odd)).resolves.toBeTruthy();
  });
});

describe("layout", () => {
  const panel = (id: number, x: number, y: number, w: number, h: number, more = {}) => ({ id, type: "stat", gridPos: { x, y, w, h }, targets: [], fieldConfig: {}, options: {}, ...more });
  test("a closed row hides its panels and what follows moves up", () => {
    const panels = [panel(1, 0, 0, 24, 1, { type: "row", panels: [] }), panel(2, 0, 1, 12, 8), panel(3, 0, 9, 24, 1, { type: "row", panels: [] }), panel(4, 0, 10, 12, 8)];
    expect(layout(panels, new Set(), scope).map((p) => [p.panel.id, p.pos.y])).toEqual([[1, 0], [2, 1], [3, 9], [4, 10]]);
    expect(layout(panels, new Set([1]), scope).map((p) => [p.panel.id, p.pos.y])).toEqual([[1, 0], [3, 1], [4, 2]]);
  });
  test("panels saved inside a closed row appear when it opens", () => {
    const panels = [panel(1, 0, 0, 24, 1, { type: "row", collapsed: true, panels: [panel(2, 0, 1, 24, 8)] }), panel(3, 0, 1, 24, 4)];
    expect(layout(panels, new Set([1]), scope).map((p) => p.panel.id)).toEqual([1, 3]);
    expect(layout(panels, new Set(), scope).map((p) => [p.panel.id, p.pos.y])).toEqual([[1, 0], [2, 1], [3, 9]]);
  });
  test("a repeated panel has a copy for each value", () => {
    const placed = layout([panel(1, 0, 0, 24, 4, { repeat: "job" }), panel(2, 0, 4, 24, 4)], new Set(), scope);
    expect(placed.map((p) => [p.panel.scoped?.job, p.pos.x, p.pos.y, p.pos.w])).toEqual([["a", 0, 0, 12], ["b", 12, 0, 12], [undefined, 0, 4, 24]]);
    expect(new Set(placed.map((p) => p.panel.id)).size).toBe(3);
  });
});

describe("fields", () => {
  test("overrides apply in order to what they match", () => {
    const source = { defaults: { unit: "short", custom: { fillOpacity: 5 } }, overrides: [
      { matcher: { id: "byRegexp", options: "/^cpu/" }, properties: [{ id: "unit", value: "percent" }, { id: "custom.fillOpacity", value: 50 }] },
      { matcher: { id: "byName", options: "cpu total" }, properties: [{ id: "decimals", value: 1 }, { id: "displayName", value: "Total" }] },
      { matcher: { id: "byFrameRefID", options: "B" }, properties: [{ id: "color", value: { mode: "fixed", fixedColor: "red" } }] },
    ] };
    expect(resolveField(source, { name: "Value", displayName: "cpu total", type: "number" })).toEqual({ unit: "percent", decimals: 1, displayName: "Total", custom: { fillOpacity: 50 } });
    expect(resolveField(source, { name: "Value", displayName: "mem", type: "number", refId: "B" })).toMatchObject({ unit: "short", color: { fixedColor: "red" }, custom: { fillOpacity: 5 } });
    expect(source.defaults.custom.fillOpacity).toBe(5);
  });
  test("values show mapping, unit and colour", () => {
    const show = displayFor({ unit: "percent", decimals: 1, thresholds: { steps: [{ value: null, color: "#00ff00" }, { value: 50, color: "#ff0000" }] }, mappings: [{ type: "special", options: { match: "null", result: { text: "off" } } }] }, "number", "dark");
    expect([shownText(show(12.34)), show(12.34).color, show(60).color, shownText(show(null))]).toEqual(["12.3%", "#00ff00", "#ff0000", "off"]);
  });
});

describe("variables", () => {
  test("custom options", () => expect(customOptions("a, Name : value, c\\,d")).toEqual([{ text: "a", value: "a" }, { text: "Name", value: "value" }, { text: "c,d", value: "c,d" }]));
  test("the expression picks parts", () => {
    expect(applyRegex(['up{host="a"} 1', 'up{host="b"} 1', "other"], '/host="(.*)"/')).toEqual([{ text: "a", value: "a" }, { text: "b", value: "b" }]);
    expect(applyRegex(["n1=x"], "/(?<text>.+)=(?<value>.+)/")).toEqual([{ text: "n1", value: "x" }]);
  });
  test("sorting", () => {
    const texts = (n: number) => sortOptions([{ text: "b10", value: "" }, { text: "a2", value: "" }, { text: "B1", value: "" }], n).map((o) => o.text);
    expect([texts(0), texts(1), texts(3), texts(5)]).toEqual([["b10", "a2", "B1"], ["B1", "a2", "b10"], ["B1", "a2", "b10"], ["a2", "B1", "b10"]]);
  });
  test("the URL wins, then the file, then the first option", () => {
    const choices = [{ text: "a", value: "a" }, { text: "b", value: "b" }];
    const model = { name: "v", type: "query", current: { value: "b" } };
    expect(select(model, choices, ["a"]).value).toBe("a");
    expect(select(model, choices, undefined).value).toBe("b");
    expect(select({ ...model, current: { value: "gone" } }, choices, undefined).value).toBe("a");
    expect(select({ ...model, multi: true, includeAll: true, current: { value: ["$__all"] } }, choices, undefined).value).toEqual(["$__all"]);
    expect(select({ ...model, multi: true, includeAll: true }, choices, ["All"]).value).toEqual(["$__all"]);
  });
  test("variables that use each other load in order", async () => {
    const loaded = await loadVariables([
      { name: "both", type: "custom", query: "$first-x" }, { name: "first", type: "custom", query: "one,two" }, { name: "filter", type: "adhoc" },
    ], { range, datasources: sources, selection: {} });
    expect([...loaded.keys()]).toEqual(["both", "first"]);
    expect(loaded.get("both")!.value).toBe("one-x");
  });
});

describe("transformations", () => {
  const table = (fields: Record<string, any[]>) => ({ fields: Object.entries(fields).map(([name, values]) => ({ name, type: typeof values[0] === "number" ? ("number" as const) : ("string" as const), config: {}, values })), length: Object.values(fields)[0]!.length });
  const columns = (frames: any[]) => Object.fromEntries(frames[0].fields.map((f: any) => [f.config.displayName ?? f.name, f.values]));
  const run = (frames: any[], ...steps: any[]) => columns(transform(frames, steps, more).frames);

  test("merge joins rows that agree", () => {
    expect(run([table({ host: ["a", "b"], "Value #A": [1, 2] }), table({ host: ["a", "c"], "Value #B": [3, 4] })], { id: "merge" })).toEqual({ host: ["a", "b", "c"], "Value #A": [1, 2, null], "Value #B": [3, null, 4] });
  });
  test("organize hides, renames and orders", () => {
    expect(Object.entries(run([table({ a: [1], b: [2], c: [3] })], { id: "organize", options: { excludeByName: { b: true }, indexByName: { c: 0, a: 1 }, renameByName: { a: "A" } } }))).toEqual([["c", [3]], ["A", [1]]]);
  });
  test("sort, filter, reduce, group, limit, calculate", () => {
    expect(run([table({ n: ["x", "y"], v: [1, 2] })], { id: "sortBy", options: { sort: [{ field: "v", desc: true }] } })).toEqual({ n: ["y", "x"], v: [2, 1] });
    expect(run([table({ n: ["x"], v: [1] })], { id: "filterFieldsByName", options: { include: { names: ["v"] } } })).toEqual({ v: [1] });
    expect(run([table({ v: [1, 3] })], { id: "reduce", options: { reducers: ["mean", "max"] } })).toEqual({ Field: ["v"], Mean: [2], Max: [3] });
    expect(run([table({ n: ["x", "x", "y"], v: [1, 2, 5] })], { id: "groupBy", options: { fields: { n: { operation: "groupby" }, v: { operation: "aggregate", aggregations: ["sum"] } } } })).toEqual({ n: ["x", "y"], "v (sum)": [3, 5] });
    expect(run([table({ v: [1, 2, 3] })], { id: "limit", options: { limitField: 2 } })).toEqual({ v: [1, 2] });
    expect(run([table({ a: [6], b: [3] })], { id: "calculateField", options: { mode: "binary", binary: { left: "a", operator: "/", right: "b" }, alias: "q" } })).toEqual({ a: [6], b: [3], q: [2] });
    expect(run([table({ k: ["x", "y"], a: [1, 2] }), table({ k: ["y"], b: [9] })], { id: "joinByField", options: { byField: "k" } })).toEqual({ k: ["x", "y"], a: [1, 2], b: [null, 9] });
    expect(run([table({ v: [1, 5] })], { id: "filterByValue", options: { type: "include", match: "any", filters: [{ fieldName: "v", config: { id: "greater", options: { value: 2 } } }] } })).toEqual({ v: [5] });
  });
  test("what is not implemented is named", () => {
    expect(transform([], [{ id: "spatial" }, { id: "merge", disabled: true }], more).unsupported).toEqual(["spatial"]);
  });
  test("table queries turn series into rows", async () => {
    const panel = (await readDashboard({ panels: [{ id: 1, type: "table", targets: [{ refId: "A", expr: "x", format: "table", instant: true }] }] })).panels[0]!;
    const one = (host: string, v: number) => decodeFrame({ schema: { fields: [{ name: "Time", type: "time" }, { name: "Value", type: "number", labels: { host } }] }, data: { values: [[1000], [v]] } }, "A");
    const shape = await shaperFor([panel]);
    expect(columns(shape(panel, [one("a", 1), one("b", 2)]).frames)).toEqual({ Time: [1000, 1000], host: ["a", "b"], Value: [1, 2] });
  });
  test("tables that the server built keep their rows; the value's name follows the panel", async () => {
    const target = (refId: string) => ({ refId, expr: "x", format: "table", instant: true });
    const panel = (await readDashboard({ panels: [{ id: 1, type: "table", targets: [target("A"), target("B")], transformations: [{ id: "merge" }] }] })).panels[0]!;
    const built = (refId: string, value: string, v: number) => decodeFrame({ schema: { meta: { type: "table" }, fields: [{ name: "Time", type: "time" }, { name: "host", type: "string" }, { name: value, type: "number" }] }, data: { values: [[1000], ["a"], [v]] } }, refId);
    const shape = await shaperFor([panel]);
    expect(columns(shape(panel, [built("A", "Value", 1), built("B", "Value #B", 2)]).frames)).toEqual({ Time: [1000], host: ["a"], "Value #A": [1], "Value #B": [2] });
  });
});

// Public dashboards, where they are at hand: every one must be read, and every query must find its data source.
const corpus = new URL("../../../../../shared/conformance/dashboards/", import.meta.url);
test("public dashboards", async () => {
  if (!existsSync(corpus)) return console.log("skipped: the public dashboards are not here");
  for (const file of readdirSync(corpus).filter((f) => f.endsWith(".json"))) {
    const board = await readDashboard(JSON.parse(readFileSync(new URL(file, corpus), "utf8")));
    expect(board.panels.length, file).toBeGreaterThan(0);
    const placed = layout(board.panels, new Set(), new Map());
    expect(new Set(placed.map((p) => p.panel.id)).size, file).toBe(placed.length);
    for (const { panel } of placed) panelQueries(panel, 600, range, new Map(), sources);
  }
});
