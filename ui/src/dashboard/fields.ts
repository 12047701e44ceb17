// The fields of a panel's frames, named and configured: the common start of stat, gauge, bar gauge and chart.
import type { Theme } from "../lib/colors";
import { toSeries, type Field, type Frame } from "../lib/frames";
import type { Labels } from "../lib/legend";
import { reduce } from "../lib/reduce";
import { interpolate, type Scope } from "../lib/variables";
import { displayFor, resolveField, seriesColor, type Display, type FieldOptions } from "./fieldConfig";
import type { Panel } from "./model";

export interface Configured {
  name: string;
  refId?: string;
  field: Field;
  times?: number[];
  options: FieldOptions;
  display: Display;
  color: string;
}

/** Numeric series of the frames with their configuration applied. */
export function configuredSeries(panel: Panel, frames: Frame[], scope: Scope, theme: Theme): Configured[] {
  const legends = new Map(panel.targets.map((t) => [t.refId, interpolate(t.legendFormat ?? "", scope, "text")]));
  const series = toSeries(frames, legends);
  return series.map((s, i) => configure(panel, s.field, s.name, s.refId, i, scope, theme, s.times));
}

export function configure(panel: Panel, field: Field, baseName: string, refId: string | undefined, index: number, scope: Scope, theme: Theme, times?: number[]): Configured {
  const options = resolveField(panel.fieldConfig, { name: field.name, displayName: baseName, type: field.type, refId, values: field.values });
  const template = options.displayName ?? field.config.displayName;
  const name = template ? fieldName(interpolate(template, scope, "text"), baseName, field.labels ?? {}) : baseName;
  const withUnit = { ...options, unit: options.unit ?? field.config.unit };
  return { name, refId, field, times, options: withUnit, display: displayFor(withUnit, field.type, theme), color: seriesColor(withUnit, index, name, field.values, theme) };
}

function fieldName(template: string, baseName: string, labels: Labels): string {
  return template
    .replace(/\$\{__field\.labels\.([\w.]+)\}|\$\{__field\.labels\["?([^\]"]+)"?\]\}/g, (_, a, b) => labels[a ?? b] ?? "")
    .replace(/\$\{__field\.(?:displayName|name)\}|\$\{__series\.name\}|\$__field_name|\$__series_name/g, baseName)
    .replace(/\$\{__field\.labels\}/g, Object.entries(labels).map(([k, v]) => `${k}=${v}`).join(", "));
}

export interface Reduced {
  name: string;
  value: number | string | boolean | null;
  display: Display;
  options: FieldOptions;
  color: string;
  /** The series behind the value, for sparklines. */
  values: (number | null)[];
  times?: number[];
}

/** What stat-like panels show: one value for each series, or for each row when the panel asks for all values. */
export function reducedValues(panel: Panel, frames: Frame[], scope: Scope, theme: Theme): Reduced[] {
  const reduceOptions = panel.options.reduceOptions ?? {};
  const calc: string = reduceOptions.calcs?.[0] ?? "lastNotNull";
  const wanted = fieldFilter(reduceOptions.fields);
  if (reduceOptions.values) return rowValues(panel, frames, scope, theme, reduceOptions.limit ?? 25, wanted);
  const series = configuredSeries(panel, frames, scope, theme);
  const all = series.length > 0 ? series : fieldsWithoutTime(panel, frames, scope, theme);
  return all.filter((c) => wanted(c.field, c.name)).map((c) => ({ name: c.name, value: reduce(c.field.values, calc), display: c.display, options: c.options, color: c.color, values: c.field.values, times: c.times }));
}

function fieldFilter(fields: string | undefined): (f: Field, name: string) => boolean {
  if (!fields) return (f) => f.type === "number";
  const m = /^\/(.*)\/$/.exec(fields);
  try {
    const re = m ? new RegExp(m[1]!) : null;
    return (f, name) => (re ? re.test(name) || re.test(f.name) : name === fields || f.name === fields);
  } catch {
    return () => true;
  }
}

function fieldsWithoutTime(panel: Panel, frames: Frame[], scope: Scope, theme: Theme): Configured[] {
  let index = 0;
  return frames.flatMap((f) => f.fields.filter((x) => x.type !== "time").map((x) => configure(panel, x, x.config.displayNameFromDS ?? x.name, f.refId, index++, scope, theme)));
}

function rowValues(panel: Panel, frames: Frame[], scope: Scope, theme: Theme, limit: number, wanted: (f: Field, name: string) => boolean): Reduced[] {
  const out: Reduced[] = [];
  for (const f of frames) {
    const names = f.fields.filter((x) => x.type === "string");
    f.fields.forEach((x, i) => {
      if (x.type !== "number" || !wanted(x, x.name)) return;
      const c = configure(panel, x, x.config.displayNameFromDS ?? x.name, f.refId, i, scope, theme);
      x.values.forEach((value, row) => {
        if (out.length >= limit) return;
        const name = names.map((n) => n.values[row]).filter(Boolean).join(" ") || c.name;
        out.push({ name, value, display: c.display, options: c.options, color: c.color, values: [] });
      });
    });
  }
  return out;
}

/** Smallest and largest value for gauges when the panel fixes none. */
export function boundsOf(values: Reduced[], options: FieldOptions): { min: number; max: number } {
  const numbers = values.map((v) => v.value).filter((v): v is number => typeof v === "number" && Number.isFinite(v));
  const percent = options.unit === "percent" ? 100 : options.unit === "percentunit" ? 1 : null;
  const min = options.min ?? Math.min(0, ...numbers);
  const max = options.max ?? percent ?? Math.max(...numbers, min + 1);
  return max > min ? { min, max } : { min, max: min + 1 };
}
