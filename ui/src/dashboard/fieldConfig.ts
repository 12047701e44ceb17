// Field configuration: defaults of the panel plus the overrides that match a field, and what follows from
// them for one value: its text and its colour.
import { paletteColor, resolveColor, type Theme } from "../lib/colors";
import type { Field } from "../lib/frames";
import { mapValue, parseRegex, valueColor, type ColorConfig, type Thresholds, type ValueMapping } from "../lib/mappings";
import { reduce } from "../lib/reduce";
import { formatter, joinFormatted, type Formatted } from "../lib/units";

export interface FieldOptions {
  unit?: string;
  decimals?: number | null;
  min?: number | null;
  max?: number | null;
  displayName?: string;
  noValue?: string;
  color?: ColorConfig;
  thresholds?: Thresholds;
  mappings?: ValueMapping[];
  links?: { title?: string; url?: string; targetBlank?: boolean }[];
  custom?: Record<string, any>;
}

export interface Override {
  matcher?: { id?: string; options?: any };
  properties?: { id: string; value?: any }[];
}

export interface FieldConfigSource {
  defaults?: FieldOptions;
  overrides?: Override[];
}

export interface FieldIdentity {
  name: string;
  displayName: string;
  type: Field["type"];
  refId?: string;
  values?: any[];
}

/** Defaults with every matching override applied, later overrides winning. */
export function resolveField(source: FieldConfigSource | undefined, id: FieldIdentity): FieldOptions {
  const out: FieldOptions = { ...source?.defaults, custom: { ...source?.defaults?.custom } };
  for (const override of source?.overrides ?? []) {
    if (!matches(override.matcher, id)) continue;
    for (const p of override.properties ?? []) setProperty(out, p.id, p.value);
  }
  return out;
}

function setProperty(out: FieldOptions, path: string, value: any): void {
  if (path.startsWith("custom.")) {
    const keys = path.slice("custom.".length).split(".");
    let target: Record<string, any> = (out.custom ??= {});
    for (const key of keys.slice(0, -1)) target = target[key] = { ...target[key] };
    target[keys[keys.length - 1]!] = value;
  } else (out as Record<string, any>)[path] = value;
}

function matches(matcher: Override["matcher"], id: FieldIdentity): boolean {
  const o = matcher?.options;
  const names = [id.displayName, id.name];
  switch (matcher?.id) {
    case "byName": return names.includes(o);
    case "byNames": {
      const listed = (o?.names ?? []) as string[];
      const hit = names.some((n) => listed.includes(n));
      return o?.mode === "exclude" ? !hit : hit;
    }
    case "byRegexp": {
      const re = parseRegex(String(o ?? ""));
      return re !== null && names.some((n) => re.test(n));
    }
    case "byFrameRefID": return id.refId === o;
    case "byType": return id.type === o;
    case "byTypes": return Array.isArray(o) && o.includes(id.type);
    case "numeric": return id.type === "number";
    case "time": return id.type === "time";
    case "byValue": return matchesValue(o, id.values ?? []);
    default: return false;
  }
}

function matchesValue(o: { reducer?: string; op?: string; value?: number } | undefined, values: any[]): boolean {
  const v = reduce(values, o?.reducer ?? "lastNotNull");
  const limit = o?.value ?? 0;
  if (typeof v !== "number") return false;
  switch (o?.op) {
    case "gte": return v >= limit;
    case "gt": return v > limit;
    case "lte": return v <= limit;
    case "lt": return v < limit;
    case "eq": return v === limit;
    case "neq": return v !== limit;
    default: return false;
  }
}

export interface Shown extends Formatted {
  /** Colour that the value itself asks for (threshold, mapping, scale), or null when only the series has one. */
  color: string | null;
  numeric: number;
}

export type Display = (value: unknown) => Shown;

export function displayFor(options: FieldOptions, type: Field["type"], theme: Theme): Display {
  const format = formatter(options.unit || (type === "time" ? "dateTimeAsIso" : undefined));
  return (value) => {
    const numeric = typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : Number.NaN;
    const mapped = mapValue(value, options.mappings);
    const byValue = Number.isNaN(numeric) ? null : valueColor(numeric, options.color, options.thresholds, theme, options.min, options.max);
    const color = mapped?.color ? resolveColor(mapped.color, theme) : byValue;
    if (mapped?.text !== undefined && mapped.text !== "") return { text: mapped.text, color, numeric };
    if (value === null || value === undefined) return { text: options.noValue ?? (type === "number" ? "No data" : ""), color: null, numeric };
    if (typeof value === "boolean") return { text: String(value), color, numeric };
    if (typeof value === "object") return { text: JSON.stringify(value), color: null, numeric };
    if (typeof value === "string" && (type === "string" || value.trim() === "" || Number.isNaN(Number(value)))) return { text: value, color, numeric };
    const n = Number(value);
    if (Number.isNaN(n)) return { text: "NaN", color: null, numeric };
    return { ...format(n, options.decimals), color, numeric };
  };
}

export const shownText = (s: Shown): string => joinFormatted(s);

/** Colour of a whole series: its own palette slot unless the configuration says otherwise. */
export function seriesColor(options: FieldOptions, index: number, name: string, values: any[], theme: Theme): string {
  const mode = options.color?.mode ?? "palette-classic";
  if (mode === "fixed" || mode === "shades") return resolveColor(options.color?.fixedColor, theme);
  if (mode === "palette-classic-by-name") {
    let h = 0;
    for (const c of name) h = (h * 31 + c.charCodeAt(0)) | 0;
    return paletteColor(Math.abs(h), theme);
  }
  if (mode === "thresholds" || mode.startsWith("continuous-")) {
    const v = reduce(values, options.color?.seriesBy ?? "last");
    return (typeof v === "number" && valueColor(v, options.color, options.thresholds, theme, options.min, options.max)) || paletteColor(index, theme);
  }
  return paletteColor(index, theme);
}
