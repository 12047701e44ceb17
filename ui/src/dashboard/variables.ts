// Loads the options of dashboard variables and keeps the selected values.
//
// Variables may use each other; they are resolved in waves, so that independent ones load at the same time.
import type { Datasource } from "../api/grafana";
import { getJson } from "../api/http";
import { parseRegex } from "../lib/mappings";
import { chartInterval, parseDuration, type Range } from "../lib/time";
import { ALL, interpolate, isAll, mentioned, type Scope, type VariableValue } from "../lib/variables";
import { resolveDatasource } from "./datasource";
import type { VariableModel } from "./model";

export interface Option {
  text: string;
  value: string;
}

export interface Variable extends VariableValue {
  model: VariableModel;
  choices: Option[];
  error?: string;
}

export type Selection = Record<string, string[] | undefined>;

export interface LoadContext {
  range: Range;
  datasources: Datasource[];
  /** Values asked for by the URL. */
  selection: Selection;
}

const unsupportedTypes = new Set(["adhoc", "groupby", "switch", "system", "snapshot"]);

export async function loadVariables(models: VariableModel[], context: LoadContext): Promise<Map<string, Variable>> {
  const done = new Map<string, Variable>();
  let waiting = models.filter((m) => !unsupportedTypes.has(m.type));
  while (waiting.length > 0) {
    const names = new Set(waiting.map((m) => m.name));
    const ready = waiting.filter((m) => dependencies(m).every((d) => d === m.name || !names.has(d)));
    // A circle cannot be resolved; its members load with what is there.
    const wave = ready.length > 0 ? ready : waiting;
    const loaded = await Promise.all(wave.map((m) => loadVariable(m, done, context)));
    for (const v of loaded) done.set(v.model.name, v);
    waiting = waiting.filter((m) => !wave.includes(m));
  }
  // Back to the order of the file: that is the order of the bar.
  return new Map(models.filter((m) => done.has(m.name)).map((m) => [m.name, done.get(m.name)!]));
}

function dependencies(m: VariableModel): string[] {
  const source = typeof m.datasource === "string" ? m.datasource : (m.datasource?.uid ?? "");
  return mentioned([queryText(m), m.regex ?? "", source].join(" "));
}

function queryText(m: VariableModel): string {
  if (typeof m.query === "string") return m.query;
  return m.query?.query ?? m.query?.stream ?? m.definition ?? "";
}

async function loadVariable(model: VariableModel, scope: Scope, context: LoadContext): Promise<Variable> {
  const wanted = context.selection[model.name];
  try {
    const choices = await loadChoices(model, scope, context);
    return select(model, choices, wanted);
  } catch (e) {
    return { ...select(model, [], wanted), error: e instanceof Error ? e.message : String(e) };
  }
}

async function loadChoices(model: VariableModel, scope: Scope, context: LoadContext): Promise<Option[]> {
  switch (model.type) {
    case "query": return loadQuery(model, scope, context);
    case "custom": return customOptions(interpolate(queryText(model), scope));
    case "interval": return intervalOptions(model, context.range);
    case "datasource": {
      const re = model.regex ? parseRegex(interpolate(model.regex, scope)) : null;
      return context.datasources.filter((d) => d.type === queryText(model) && (!re || re.test(d.name))).map((d) => ({ text: d.name, value: d.uid }));
    }
    case "constant": return [{ text: queryText(model), value: queryText(model) }];
    case "textbox": return [];
    default: throw new Error(`Variables of type "${model.type}" are not supported.`);
  }
}

export function customOptions(query: string): Option[] {
  return query
    .split(/(?<!\\),/)
    .map((part) => part.replace(/\\,/g, ",").trim())
    .filter((part) => part !== "")
    .map((part) => {
      const pair = /^(.+?)\s+:\s+(.+)$/.exec(part);
      return pair ? { text: pair[1]!, value: pair[2]! } : { text: part, value: part };
    });
}

function intervalOptions(model: VariableModel, range: Range): Option[] {
  const options = queryText(model).split(",").map((t) => t.trim().replace(/^"|"$/g, "")).filter(Boolean).map((t) => ({ text: t, value: t }));
  if (!model.auto) return options;
  const min = parseDuration(model.auto_min ?? "10s") ?? 10_000;
  return [{ text: "auto", value: `${Math.max(1, Math.round(chartInterval(range, model.auto_count || 30, min) / 1000))}s` }, ...options];
}

async function loadQuery(model: VariableModel, scope: Scope, context: LoadContext): Promise<Option[]> {
  const source = resolveDatasource([model.datasource], context.datasources, scope);
  if ("error" in source) throw new Error(source.error);
  const proxy = `/api/datasources/proxy/uid/${encodeURIComponent(source.uid)}`;
  const builtIn = builtIns(context.range);
  const text = interpolate(interpolate(queryText(model), builtIn), scope, "promql").trim();
  const raw = source.type === "loki" ? await lokiQuery(model, proxy, text, context.range) : await promQuery(proxy, text, context.range);
  return sortOptions(applyRegex(raw, model.regex ? interpolate(model.regex, scope, "promql") : ""), model.sort ?? 0);
}

// Variable queries go to the data source itself, which does not know these names.
function builtIns(range: Range): Scope {
  const seconds = Math.max(1, Math.round((range.to - range.from) / 1000));
  const interval = chartInterval(range, 600);
  const values: Record<string, string> = {
    __range: `${seconds}s`, __range_s: String(seconds), __range_ms: String(range.to - range.from), __from: String(range.from), __to: String(range.to),
    __interval: `${Math.max(1, Math.round(interval / 1000))}s`, __interval_ms: String(interval), __rate_interval: `${Math.max(60, Math.round(interval / 1000) * 4)}s`,
    __searchFilter: ".*",
  };
  return new Map(Object.entries(values).map(([k, v]) => [k, { value: v, text: v }]));
}

async function promQuery(proxy: string, text: string, range: Range): Promise<string[]> {
  const window = { start: Math.floor(range.from / 1000), end: Math.ceil(range.to / 1000) };
  const api = <T>(path: string, params: Record<string, any>) => getJson<{ data: T }>(`${proxy}/api/v1${path}`, params).then((r) => r.data);
  let m: RegExpExecArray | null;
  if (/^label_names\(\s*\)$/.test(text)) return api<string[]>("/labels", window);
  if ((m = /^label_names\((.+)\)$/s.exec(text))) return api<string[]>("/labels", { ...window, "match[]": [m[1]!.trim()] });
  if ((m = /^label_values\((?:(.+),)?\s*([\w.:]+)\s*\)$/s.exec(text))) {
    return api<string[]>(`/label/${encodeURIComponent(m[2]!)}/values`, m[1] ? { ...window, "match[]": [m[1].trim()] } : window);
  }
  if ((m = /^metrics\((.*)\)$/s.exec(text))) {
    const names = await api<string[]>("/label/__name__/values", window);
    const re = parseRegex(m[1]!.trim().replace(/^["']|["']$/g, ""));
    return re ? names.filter((n) => re.test(n)) : names;
  }
  if ((m = /^query_result\((.+)\)\s*$/s.exec(text))) {
    const data = await api<any>("/query", { query: m[1]!, time: window.end });
    if (data.resultType === "vector") return data.result.map((s: any) => `${seriesText(s.metric)} ${s.value?.[1]} ${Math.round(s.value?.[0] * 1000)}`);
    return data.resultType === "scalar" || data.resultType === "string" ? [String(data.result[1])] : [];
  }
  if (text === "") return [];
  const found = await api<Record<string, string>[]>("/series", { ...window, "match[]": [text] });
  return found.map(seriesText);
}

function seriesText(metric: Record<string, string>): string {
  const { __name__: name = "", ...rest } = metric;
  return `${name}{${Object.entries(rest).map(([k, v]) => `${k}="${v}"`).join(",")}}`;
}

async function lokiQuery(model: VariableModel, proxy: string, text: string, range: Range): Promise<string[]> {
  const window = { start: `${range.from}000000`, end: `${range.to}000000` };
  const api = (path: string, params: Record<string, any>) => getJson<{ data?: string[] }>(`${proxy}/loki/api/v1${path}`, { ...window, ...params }).then((r) => r.data ?? []);
  if (model.query && typeof model.query === "object" && model.query.label) {
    return api(`/label/${encodeURIComponent(model.query.label)}/values`, { query: model.query.stream || undefined });
  }
  if (/^label_names\(\s*\)$/.test(text)) return api("/labels", {});
  const m = /^label_values\((?:(.+),)?\s*([\w.]+)\s*\)$/s.exec(text);
  if (m) return api(`/label/${encodeURIComponent(m[2]!)}/values`, { query: m[1]?.trim() });
  throw new Error(`The variable query "${text}" is not understood; label_names() and label_values() are.`);
}

/** Keeps what the expression matches; groups named `text` and `value` (or the first group) pick the parts. */
export function applyRegex(values: string[], regex: string): Option[] {
  const re = regex ? parseRegex(regex) : null;
  const seen = new Map<string, Option>();
  for (const v of values) {
    const m = re ? re.exec(v) : null;
    if (re && !m) continue;
    const value = m?.groups?.value ?? m?.groups?.text ?? m?.[1] ?? v;
    const text = m?.groups?.text ?? m?.groups?.value ?? m?.[1] ?? v;
    if (!seen.has(value)) seen.set(value, { text, value });
  }
  return [...seen.values()];
}

export function sortOptions(options: Option[], sort: number): Option[] {
  if (sort === 0) return options;
  const numeric = (o: Option) => Number(/\d+/.exec(o.text)?.[0] ?? -1);
  const kind = Math.ceil(sort / 2);
  const sorted = [...options].sort((a, b) => {
    if (kind === 1) return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
    if (kind === 2) return numeric(a) - numeric(b);
    if (kind === 3) return a.text.toLowerCase().localeCompare(b.text.toLowerCase());
    return a.text.localeCompare(b.text, "en", { numeric: true });
  });
  return sort % 2 === 0 ? sorted.reverse() : sorted;
}

/** Picks the value: the URL's, else the file's when it still exists, else the first option. */
export function select(model: VariableModel, choices: Option[], wanted: string[] | undefined): Variable {
  const options = choices.map((c) => c.value);
  const shared = { model, choices, options, multi: !!model.multi, includeAll: !!model.includeAll, allValue: model.allValue };
  const textOf = (v: string) => (v === ALL ? "All" : (choices.find((c) => c.value === v)?.text ?? v));
  const take = (value: string | string[]): Variable => ({ ...shared, value, text: Array.isArray(value) ? value.map(textOf) : textOf(value) });

  if (model.type === "constant") return take(options[0] ?? "");
  if (model.type === "textbox") return take(wanted?.[0] ?? firstOf(model.current?.value) ?? queryText(model));
  if (wanted && wanted.length > 0) {
    // "All" may be written by hand in the URL; other values are taken as they are, even when the list lacks them.
    const values = wanted.map((v) => (v === "All" && model.includeAll && !options.includes("All") ? ALL : v));
    const byText = values.map((v) => (options.includes(v) || v === ALL ? v : (choices.find((c) => c.text === v)?.value ?? v)));
    return take(model.multi ? (isAll(byText) ? [ALL] : byText) : byText[0]!);
  }
  const current = [model.current?.value ?? []].flat();
  if (model.includeAll && isAll(current)) return take(model.multi ? [ALL] : ALL);
  const still = current.map((c) => (options.includes(c) ? c : choices.find((o) => o.text === c)?.value)).filter((c): c is string => c !== undefined);
  if (still.length > 0) return take(model.multi ? still : still[0]!);
  if (options.length > 0) return take(model.multi ? [options[0]!] : options[0]!);
  if (model.includeAll) return take(model.multi ? [ALL] : ALL);
  return take(model.multi ? current : (current[0] ?? ""));
}

const firstOf = (v: string | string[] | undefined): string | undefined => (Array.isArray(v) ? v[0] : v);
