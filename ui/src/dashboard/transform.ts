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

type Step = (frames: Frame[], options: any) => Frame[];

export function transform(frames: Frame[], steps: Transformation[] | undefined): Transformed {
  const unsupported: string[] = [];
  let current = frames;
  for (const step of steps ?? []) {
    if (step.disabled) continue;
    const run = implemented[step.id];
    if (run) current = run(current, step.options ?? {});
    else unsupported.push(step.id);
  }
  return { frames: current, unsupported };
}

export const fieldTitle = (f: Field): string => f.config.displayName ?? f.config.displayNameFromDS ?? f.name;

const frame = (fields: Field[], refId?: string): Frame => ({ refId, fields, length: fields[0]?.values.length ?? 0 });
const field = (name: string, values: any[], type: Field["type"] = "number", config = {}): Field => ({ name, type, values, config });

const implemented: Record<string, Step> = {
  organize, merge, filterFieldsByName, sortBy, reduce: reduceFrames, joinByField, labelsToFields, renameByRegex, groupBy, limit, calculateField, filterByValue,
  seriesToColumns: joinByField,
  filterByRefId: (frames, o) => {
    const re = parseRegex(`^(?:${o.include ?? ".*"})$`);
    return re ? frames.filter((f) => re.test(f.refId ?? "")) : frames;
  },
};

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

function reorder(f: Frame, index: number[]): Frame {
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

function seriesTitle(f: Frame, x: Field): string {
  return x.config.displayNameFromDS ?? (x.labels && Object.keys(x.labels).length ? seriesName(x.labels) : (f.name ?? x.name));
}

function joinByField(frames: Frame[], o: any): Frame[] {
  if (frames.length <= 1) return frames;
  const wanted: string | undefined = o.byField;
  const key = (f: Frame) => f.fields.find((x) => (wanted ? fieldTitle(x) === wanted || x.name === wanted : x.type === "time"));
  const joined = frames.filter(key);
  if (joined.length === 0) return frames;
  const keys = new Map<any, number>();
  const inner = o.mode === "inner";
  for (const v of joined.flatMap((f) => key(f)!.values)) {
    if (!keys.has(v) && (!inner || joined.every((f) => key(f)!.values.includes(v)))) keys.set(v, keys.size);
  }
  const values = [...keys.keys()];
  if (values.every((v) => typeof v === "number")) values.sort((a, b) => a - b);
  const first = key(joined[0]!)!;
  const columns = joined.flatMap((f) => {
    const at = new Map(key(f)!.values.map((v, i) => [v, i]));
    return f.fields
      .filter((x) => x !== key(f))
      .map((x) => ({ ...x, config: x.labels ? { ...x.config, displayName: x.config.displayName ?? seriesTitle(f, x) } : x.config, values: values.map((v) => (at.has(v) ? x.values[at.get(v)!] : null)) }));
  });
  return [frame([{ ...first, values }, ...columns])];
}

function labelsToFields(frames: Frame[], o: any): Frame[] {
  const rowsMode = o.mode === "rows";
  return frames.flatMap((f) => {
    if (rowsMode) {
      return numberFields(f).map((x) => frame([field("label", Object.keys(x.labels ?? {}), "string"), field("value", Object.values(x.labels ?? {}), "string")], f.refId));
    }
    const time = timeField(f);
    return [
      frame([
        ...(time ? [time] : []),
        ...[...new Set(f.fields.flatMap((x) => Object.keys(x.labels ?? {})))].map((l) => field(l, new Array(f.length).fill(f.fields.find((x) => x.labels?.[l] !== undefined)?.labels?.[l]), "string")),
        ...f.fields.filter((x) => x !== time).map((x) => ({ ...x, name: (o.valueLabel && x.labels?.[o.valueLabel]) || x.name, labels: undefined })),
      ], f.refId),
    ];
  });
}

function renameByRegex(frames: Frame[], o: any): Frame[] {
  const re = parseRegex(o.regex ?? "");
  if (!re) return frames;
  return frames.map((f) => ({
    ...f,
    fields: f.fields.map((x) => {
      if (x.type === "time") return x;
      const title = x.labels && !x.config.displayName && !x.config.displayNameFromDS ? seriesTitle(f, x) : fieldTitle(x);
      return re.test(title) ? { ...x, config: { ...x.config, displayName: title.replace(re, o.renamePattern ?? "") } } : x;
    }),
  }));
}

function groupBy(frames: Frame[], o: any): Frame[] {
  const rules: Record<string, { operation?: string; aggregations?: string[] }> = o.fields ?? {};
  const rule = (x: Field) => rules[fieldTitle(x)] ?? rules[x.name];
  return frames.map((f) => {
    const keys = f.fields.filter((x) => rule(x)?.operation === "groupby");
    if (keys.length === 0) return f;
    const groups = new Map<string, number[]>();
    for (let i = 0; i < f.length; i++) {
      const k = JSON.stringify(keys.map((x) => x.values[i]));
      groups.set(k, [...(groups.get(k) ?? []), i]);
    }
    const rows = [...groups.values()];
    const aggregated = f.fields.flatMap((x) =>
      rule(x)?.operation === "aggregate" ? (rule(x)!.aggregations ?? []).map((calc) => field(`${fieldTitle(x)} (${calc})`, rows.map((r) => reduce(r.map((i) => x.values[i]), calc)), "number", { ...x.config, displayName: undefined, displayNameFromDS: undefined })) : [],
    );
    return frame([...keys.map((x) => ({ ...x, values: rows.map((r) => x.values[r[0]!]) })), ...aggregated], f.refId);
  });
}

function limit(frames: Frame[], o: any): Frame[] {
  const n = Number(o.limitField ?? 10);
  return frames.map((f) => ({ ...f, fields: f.fields.map((x) => ({ ...x, values: x.values.slice(0, n) })), length: Math.min(n, f.length) }));
}

const operators: Record<string, (a: number, b: number) => number> = { "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b };

function calculateField(frames: Frame[], o: any): Frame[] {
  return frames.map((f) => {
    const find = (name: string) => f.fields.find((x) => fieldTitle(x) === name || x.name === name);
    let values: any[];
    let name: string;
    if (o.mode === "binary") {
      const b = o.binary ?? {};
      const side = (s: any): ((i: number) => number) | null => {
        const text = typeof s === "object" && s !== null ? (s.matcher?.options ?? s.fixed) : s;
        const x = find(String(text));
        if (x) return (i) => x.values[i];
        return text !== undefined && text !== "" && !Number.isNaN(Number(text)) ? () => Number(text) : null;
      };
      const [left, right, op] = [side(b.left), side(b.right), operators[b.operator ?? "+"]];
      if (!left || !right || !op) return f;
      values = Array.from({ length: f.length }, (_, i) => op(left(i), right(i)));
      name = o.alias || `${b.left} ${b.operator ?? "+"} ${b.right}`;
    } else if (!o.mode || o.mode === "reduceRow") {
      const include: string[] | undefined = o.reduce?.include;
      const used = numberFields(f).filter((x) => !include?.length || include.includes(fieldTitle(x)) || include.includes(x.name));
      const calc = o.reduce?.reducer ?? "sum";
      values = Array.from({ length: f.length }, (_, i) => reduce(used.map((x) => x.values[i]), calc));
      name = o.alias || reducerLabel(calc);
    } else return f;
    const added = field(name, values);
    const time = timeField(f);
    return { ...f, fields: o.replaceFields ? [...(time ? [time] : []), added] : [...f.fields, added] };
  });
}

function filterByValue(frames: Frame[], o: any): Frame[] {
  const filters: any[] = o.filters ?? [];
  const all = o.match === "all";
  return frames.map((f) => {
    const tests = filters.map((rule) => {
      const x = f.fields.find((c) => fieldTitle(c) === rule.fieldName || c.name === rule.fieldName);
      return (i: number) => x !== undefined && testValue(x.values[i], rule.config?.id, rule.config?.options ?? {});
    });
    if (tests.length === 0) return f;
    const keep = Array.from({ length: f.length }, (_, i) => i).filter((i) => (all ? tests.every((t) => t(i)) : tests.some((t) => t(i))) !== (o.type === "exclude"));
    return reorder(f, keep);
  });
}

function testValue(v: any, id: string, o: any): boolean {
  switch (id) {
    case "isNull": return v === null || v === undefined;
    case "isNotNull": return v !== null && v !== undefined;
    case "greater": return v > o.value;
    case "greaterOrEqual": return v >= o.value;
    case "lower": return v < o.value;
    case "lowerOrEqual": return v <= o.value;
    case "equal": return String(v) === String(o.value);
    case "notEqual": return String(v) !== String(o.value);
    case "range":
    case "between": return v >= o.from && v <= o.to;
    case "regex": return parseRegex(String(o.value ?? ""))?.test(String(v)) ?? false;
    default: return true;
  }
}

/**
 * A query in table format: its series become rows, labels become columns, the last point becomes the value.
 * `several` tells whether other queries of the panel are tables too; then the value column carries the query's name.
 */
export function seriesToTable(frames: Frame[], refId: string, several: boolean, legend?: string): Frame[] {
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
      field(several ? `Value #${refId}` : "Value", rows.map((r) => r.v), "number", legend && !legend.includes("{{") && legend !== "__auto" && !several ? { displayName: renderLegend(legend, {}) } : {}),
    ], refId),
  ];
}
