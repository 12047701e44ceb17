// Thresholds and value mappings: what colour a value has and which text replaces it.
import { rampColor, resolveColor, type Theme } from "./colors";

export interface ThresholdStep {
  value: number | null;
  color: string;
}

export interface Thresholds {
  mode?: "absolute" | "percentage";
  steps?: ThresholdStep[];
}

export interface MappingResult {
  text?: string;
  color?: string;
  index?: number;
}

export interface ValueMapping {
  type: string | number;
  options?: any;
  // Legacy shapes (type 1 = value, 2 = range) keep their fields at the top.
  value?: string;
  from?: string;
  to?: string;
  text?: string;
}

export interface ColorConfig {
  mode?: string;
  fixedColor?: string;
  seriesBy?: "last" | "min" | "max";
}

/** The step a value falls into. The first step is the base and has no lower bound. */
export function activeThreshold(value: number, thresholds: Thresholds | undefined, min?: number | null, max?: number | null): ThresholdStep | null {
  const steps = thresholds?.steps ?? [];
  if (steps.length === 0) return null;
  const probe = thresholds?.mode === "percentage" ? percentOf(value, min ?? 0, max ?? 100) : value;
  let active = steps[0]!;
  for (const step of steps.slice(1)) if (step.value !== null && probe >= step.value) active = step;
  return active;
}

/** Thresholds in the value's own scale, so that charts can draw them. */
export function absoluteSteps(thresholds: Thresholds | undefined, min: number, max: number): { value: number; color: string }[] {
  return (thresholds?.steps ?? []).map((s, i) => {
    const value = i === 0 && (s.value === null || s.value === undefined) ? -Infinity : (s.value ?? -Infinity);
    return { color: s.color, value: thresholds?.mode === "percentage" && Number.isFinite(value) ? min + ((max - min) * value) / 100 : value };
  });
}

function percentOf(value: number, min: number, max: number): number {
  return max === min ? 0 : ((value - min) / (max - min)) * 100;
}

export function valueColor(value: number, color: ColorConfig | undefined, thresholds: Thresholds | undefined, theme: Theme, min?: number | null, max?: number | null): string | null {
  const mode = color?.mode ?? "thresholds";
  if (mode === "fixed" || mode === "shades") return resolveColor(color?.fixedColor, theme);
  if (mode.startsWith("continuous-")) return rampColor(mode, percentOf(value, min ?? 0, max ?? 100) / 100);
  if (mode === "thresholds") {
    const step = activeThreshold(value, thresholds, min, max);
    return step ? resolveColor(step.color, theme) : null;
  }
  return null;
}

/** First mapping that matches the value, or null. */
export function mapValue(value: unknown, mappings: ValueMapping[] | undefined): MappingResult | null {
  for (const mapping of mappings ?? []) {
    const found = matchMapping(value, mapping);
    if (found) return found;
  }
  return null;
}

function matchMapping(value: unknown, m: ValueMapping): MappingResult | null {
  const o = m.options ?? {};
  switch (m.type) {
    case "value":
    case "valueToText":
      return o[String(value)] ?? null;
    case 1:
      return String(value) === m.value || (m.value === "null" && value === null) ? { text: m.text } : null;
    case "range":
    case "rangeToText":
      return inRange(value, o.from, o.to) ? (o.result ?? {}) : null;
    case 2:
      return inRange(value, Number(m.from), Number(m.to)) ? { text: m.text } : null;
    case "regex":
      return matchRegex(String(value ?? ""), o);
    case "special":
      return matchSpecial(value, o.match) ? (o.result ?? {}) : null;
    default:
      return null;
  }
}

function inRange(value: unknown, from: number | null | undefined, to: number | null | undefined): boolean {
  if (value === null || value === undefined || value === "") return false;
  const v = Number(value);
  if (Number.isNaN(v)) return false;
  return v >= (from ?? -Infinity) && v <= (to ?? Infinity);
}

function matchRegex(text: string, o: { pattern?: string; result?: MappingResult }): MappingResult | null {
  const re = parseRegex(o.pattern ?? "");
  if (!re || !re.test(text)) return null;
  const result = o.result ?? {};
  return result.text === undefined ? result : { ...result, text: text.replace(re, result.text) };
}

function matchSpecial(value: unknown, match: string): boolean {
  const isNaNValue = typeof value === "number" && Number.isNaN(value);
  const isNull = value === null || value === undefined;
  switch (match) {
    case "null": return isNull;
    case "nan": return isNaNValue;
    case "null+nan": return isNull || isNaNValue;
    case "true": return value === true || value === "true";
    case "false": return value === false || value === "false";
    case "empty": return value === "";
    default: return false;
  }
}

/** `/re/flags` or a bare pattern; null when it does not compile. */
export function parseRegex(text: string): RegExp | null {
  const m = /^\/(.*)\/([gimsuy]*)$/s.exec(text);
  try {
    return m ? new RegExp(m[1]!, m[2]!.replace(/[gy]/g, "")) : new RegExp(text);
  } catch {
    return null;
  }
}
