// Transformations: steps between query and panel that reshape frames.
import type { Field, Frame } from "../lib/frames";
import { numberFields, timeField } from "../lib/frames";
import { parseRegex } from "../lib/mappings";
import { sortedIndex } from "../lib/order";
import { reduce, reducerLabel } from "../lib/reduce";
import { renderLegend, seriesName } from "../lib/legend";

export interface Transformation {
  id: string;
  options?: any;
  disabled?: boolean;
}

export interface Transformed {
  frames: Frame[];
  /** Ids that are not implemented; the panel says so instead of showing something else silently. */
  unsupported: string[];
}

export type Step = (frames: Frame[], options: any) => Frame[];
export type Steps = Record<string, Step>;

export function transform(frames: Frame[], steps: Transformation[] | undefined, more: Steps = {}): Transformed {
  const unsupported: string[] = [];
  let current = frames;
  for (const step of steps ?? []) {
    if (step.disabled) continue;
    const run = common[step.id] ?? more[step.id];
    if (run) current = run(current, step.options ?? {});
    else unsupported.push(step.id);
  }
  return { frames: current, unsupported };
}

export const fieldTitle = (f: Field): string => f.config.displayName ?? f.config.displayNameFromDS ?? f.name;

export const frame = (fields: Field[], refId?: string): Frame => ({ refId, fields, length: fields[0]?.values.length ?? 0 });
export const field = (name: string, values: any[], type: Field["type"] = "number", config = {}): Field => ({ name, type, values, config });

/** The ones that tables of every second dashboard use; `transformMore.ts` has the rest. */
export const common: Steps = { organize, merge, filterFieldsByName, sortBy, reduce: reduceFrames };

function organize(frames: Frame[], o: any): Frame[] {
  const { excludeByName = {}, indexByName = {}, renameByName = {}, includeByName = {} } = o;
  const onlyIncluded = Object.values(includeByName).some(Boolean);
  return frames.map((f) => {
    const kept = f.fields.filter((x) => !excludeByName[fieldTitle(x)] && !excludeByName[x.name] && (!onlyIncluded || includeByName[fieldTitle(x)]));
    const at = (x: Field, i: number) => indexByName[fieldTitle(x)] ?? indexByName[x.name] ?? 1000 + i;
    const ordered = kept.map((x, i) => [at(x, i), x] as const).sort((a, b) => a[0] - b[0]).map(([, x]) => x);
    return {
      ...f,
      fields: ordered.map((x) => {
        const name = renameByName[fieldTitle(x)] ?? renameByName[x.name];
        return name ? { ...x, config: { ...x.config, displayName: name } } : x;
      }),
    };
  });
}

/** One table of all frames: rows with equal values in the shared columns become one row. */
function merge(frames: Frame[]): Frame[] {
  if (frames.length <= 1) return frames;
  const columns = new Map<string, Field>();
  for (const f of frames) for (const x of f.fields) if (!columns.has(x.name)) columns.set(x.name, { ...x, values: [] });
  const shared = [...columns.keys()].filter((name) => frames.every((f) => f.fields.some((x) => x.name === name)));
  const rows = new Map<string, Record<string, any>[]>();
  for (const f of frames) {
    for (let i = 0; i < f.length; i++) {
      const row = Object.fromEntries(f.fields.map((x) => [x.name, x.values[i]]));
      const key = JSON.stringify(shared.map((n) => row[n]));
      const same = rows.get(key) ?? [];
      rows.set(key, same);
      const open = same.find((r) => Object.keys(row).every((n) => !(n in r) || r[n] === row[n]));
      if (open) Object.assign(open, row);
      else same.push(row);
    }
  }
  const all = [...rows.values()].flat();
  return [frame([...columns.values()].map((c) => ({ ...c, values: all.map((r) => r[c.name] ?? null) })))];
}

function filterFieldsByName(frames: Frame[], o: any): Frame[] {
  const include = o.include ?? {};
  const exclude = o.exclude ?? {};
  const test = (x: Field, m: any) => {
    const title = fieldTitle(x);
    return (m.names ?? []).includes(title) || (m.names ?? []).includes(x.name) || (m.pattern ? (parseRegex(m.pattern)?.test(title) ?? false) : false);
  };
  const some = (m: any) => (m.names?.length ?? 0) > 0 || !!m.pattern;
  return frames.map((f) => ({ ...f, fields: f.fields.filter((x) => (!some(include) || test(x, include)) && !(some(exclude) && test(x, exclude))) }));
}

function sortBy(frames: Frame[], o: any): Frame[] {
  const rule = [o.sort, o.fields].flat().find(Boolean);
  const name = rule?.field ?? rule?.displayName;
  return frames.map((f) => {
    const by = f.fields.find((x) => fieldTitle(x) === name || x.name === name);
    return by ? reorder(f, sortedIndex(by.values, !!rule.desc)) : f;
  });
}

export function reorder(f: Frame, index: number[]): Frame {
  return { ...f, fields: f.fields.map((x) => ({ ...x, values: index.map((i) => x.values[i]) })), length: index.length };
}

function reduceFrames(frames: Frame[], o: any): Frame[] {
  const calcs: string[] = o.reducers?.length ? o.reducers : ["lastNotNull"];
  if (o.mode === "reduceFields") {
    return frames.map((f) => frame(f.fields.filter((x) => x.type === "number").map((x) => ({ ...x, values: [reduce(x.values, calcs[0]!)] })), f.refId));
  }
  const numbers = frames.flatMap((f) => numberFields(f).map((x) => ({ x, named: x.labels ? seriesTitle(f, x) : fieldTitle(x) })));
  const out = [field("Field", numbers.map((n) => n.named), "string")];
  if (o.labelsToFields) {
    for (const label of new Set(numbers.flatMap((n) => Object.keys(n.x.labels ?? {})))) out.push(field(label, numbers.map((n) => n.x.labels?.[label] ?? null), "string"));
  }
  for (const calc of calcs) out.push(field(reducerLabel(calc), numbers.map((n) => reduce(n.x.values, calc)), "number", numbers[0]?.x.config.unit ? { unit: numbers[0].x.config.unit } : {}));
  return [frame(out)];
}

export function seriesTitle(f: Frame, x: Field): string {
  return x.config.displayNameFromDS ?? (x.labels && Object.keys(x.labels).length ? seriesName(x.labels) : (f.name ?? x.name));
}

/**
 * A query in table format: its series become rows, labels become columns, the last point becomes the value.
 * `several` tells whether other queries of the panel are tables too; then the value column carries the query's name.
 */
export function seriesToTable(frames: Frame[], refId: string, several: boolean, legend?: string): Frame[] {
  const valueName = several ? `Value #${refId}` : "Value";
  // A server may have built the table already; only the name of the value depends on the panel's other queries.
  if (frames.some((f) => f.meta?.type === "table" || f.fields.some((x) => x.type === "string"))) {
    return frames.map((f) => ({ ...f, fields: f.fields.map((x) => (x.type === "number" && /^Value( #.*)?$/.test(x.name) ? { ...x, name: valueName } : x)) }));
  }
  const series = frames.flatMap((f) => {
    const time = timeField(f);
    return time ? numberFields(f).filter(() => f.fields.every((x) => x.type === "time" || x.type === "number")).map((x) => ({ time, x })) : [];
  });
  if (series.length === 0) return frames;
  const labels = [...new Set(series.flatMap((s) => Object.keys(s.x.labels ?? {})))].sort();
  const rows = series.flatMap((s) => s.time.values.map((t, i) => ({ t, v: s.x.values[i], labels: s.x.labels ?? {} })));
  return [
    frame([
      field("Time", rows.map((r) => r.t), "time"),
      ...labels.map((l) => field(l, rows.map((r) => r.labels[l] ?? ""), "string")),
      field(valueName, rows.map((r) => r.v), "number", legend && !legend.includes("{{") && legend !== "__auto" && !several ? { displayName: renderLegend(legend, {}) } : {}),
    ], refId),
  ];
}
