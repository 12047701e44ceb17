// The transformations that few dashboards use. A chunk of its own.
import { numberFields, timeField, type Field, type Frame } from "../lib/frames";
import { parseRegex } from "../lib/mappings";
import { reduce, reducerLabel } from "../lib/reduce";
import { field, fieldTitle, frame, reorder, seriesTitle, type Steps } from "./transform";

export const more: Steps = {
  joinByField,
  seriesToColumns: joinByField,
  labelsToFields,
  renameByRegex,
  groupBy,
  limit,
  calculateField,
  filterByValue,
  filterByRefId,
};

function filterByRefId(frames: Frame[], o: any): Frame[] {
  const re = parseRegex(`^(?:${o.include ?? ".*"})$`);
  return re ? frames.filter((f) => re.test(f.refId ?? "")) : frames;
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
