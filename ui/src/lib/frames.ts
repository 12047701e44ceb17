// Data frames: the columnar shape in which /api/ds/query answers, and in which panels think.
//
// NaN and the infinities have no place in JSON. They arrive as null, and `entities` lists where they were.
import { autoNames, renderLegend, seriesName, type Labels } from "./legend";

export interface FieldConfig {
  displayName?: string;
  displayNameFromDS?: string;
  unit?: string;
  [key: string]: any;
}

export interface Field {
  name: string;
  type: "time" | "number" | "string" | "boolean" | "other";
  labels?: Labels;
  config: FieldConfig;
  values: any[];
}

export interface Frame {
  refId?: string;
  name?: string;
  meta?: any;
  fields: Field[];
  length: number;
}

interface WireFrame {
  schema?: { refId?: string; name?: string; meta?: any; fields?: { name?: string; type?: string; labels?: Labels | null; config?: any }[] };
  data?: { values?: any[][]; entities?: ({ NaN?: number[]; Inf?: number[]; NegInf?: number[] } | null)[] | null };
}

export function decodeFrame(wire: WireFrame, refId?: string): Frame {
  const values = wire.data?.values ?? [];
  const fields = (wire.schema?.fields ?? []).map((f, i): Field => ({
    name: f.name ?? "",
    type: (f.type as Field["type"]) ?? guessType(values[i] ?? []),
    labels: f.labels ?? undefined,
    config: f.config ?? {},
    values: restore(values[i] ?? [], wire.data?.entities?.[i]),
  }));
  return { refId: refId ?? wire.schema?.refId, name: wire.schema?.name, meta: wire.schema?.meta, fields, length: fields[0]?.values.length ?? 0 };
}

function restore(values: any[], entities: { NaN?: number[]; Inf?: number[]; NegInf?: number[] } | null | undefined): any[] {
  for (const i of entities?.NaN ?? []) values[i] = NaN;
  for (const i of entities?.Inf ?? []) values[i] = Infinity;
  for (const i of entities?.NegInf ?? []) values[i] = -Infinity;
  return values;
}

function guessType(values: any[]): Field["type"] {
  const sample = values.find((v) => v !== null && v !== undefined);
  return typeof sample === "number" ? "number" : typeof sample === "boolean" ? "boolean" : typeof sample === "string" ? "string" : "other";
}

export const timeField = (f: Frame): Field | undefined => f.fields.find((x) => x.type === "time");
export const numberFields = (f: Frame): Field[] => f.fields.filter((x) => x.type === "number");

export interface Series {
  name: string;
  refId?: string;
  frame: Frame;
  field: Field;
  times: number[];
}

/** Every numeric field that has a time field beside it, named. */
export function toSeries(frames: Frame[], legendFormats: ReadonlyMap<string, string> = new Map()): Series[] {
  const found: Series[] = [];
  for (const frame of frames) {
    const time = timeField(frame);
    if (!time) continue;
    for (const field of numberFields(frame)) found.push({ name: "", refId: frame.refId, frame, field, times: time.values });
  }
  nameSeries(found, legendFormats);
  return found;
}

// The server names series (displayNameFromDS). Where it did not, the query's legend template decides, then the labels.
function nameSeries(all: Series[], legendFormats: ReadonlyMap<string, string>): void {
  const unnamed: Series[] = [];
  for (const s of all) {
    const format = legendFormats.get(s.refId ?? "");
    if (s.field.config.displayNameFromDS) s.name = s.field.config.displayNameFromDS;
    else if (format && format !== "__auto") s.name = renderLegend(format, s.field.labels ?? {});
    else unnamed.push(s);
  }
  const auto = autoNames(unnamed.map((s) => s.field.labels ?? {}));
  unnamed.forEach((s, i) => (s.name = Object.keys(s.field.labels ?? {}).length ? auto[i]! : s.frame.name || s.field.name));
  for (const s of all) if (s.name === "") s.name = seriesName(s.field.labels ?? {});
}

/** Brings series with different timestamps onto one shared time column, as uPlot wants it. */
export function align(series: { times: number[]; values: (number | null)[] }[]): [number[], ...(number | null)[][]] {
  const first = series[0];
  if (!first) return [[]];
  const same = series.every((s) => s.times === first.times || (s.times.length === first.times.length && s.times.every((t, i) => t === first.times[i])));
  if (same) return [first.times, ...series.map((s) => s.values.map(drawable))];
  const times = [...new Set(series.flatMap((s) => s.times))].sort((a, b) => a - b);
  const at = new Map(times.map((t, i) => [t, i]));
  const columns = series.map((s) => {
    const column: (number | null)[] = new Array(times.length).fill(undefined);
    s.times.forEach((t, i) => (column[at.get(t)!] = drawable(s.values[i])));
    return column;
  });
  return [times, ...columns];
}

/**
 * Inserts a null where a series pauses for clearly longer than its step, so that an outage shows as a gap
 * and not as a straight line. Range queries leave out missing points altogether.
 */
export function openGaps(times: number[], values: (number | null)[], step: number): { times: number[]; values: (number | null)[] } {
  if (step <= 0 || times.length < 2) return { times, values };
  const limit = step * 1.5;
  if (!times.some((t, i) => i > 0 && t - times[i - 1]! > limit)) return { times, values };
  const outTimes: number[] = [];
  const outValues: (number | null)[] = [];
  times.forEach((t, i) => {
    if (i > 0 && t - times[i - 1]! > limit) {
      outTimes.push(times[i - 1]! + step);
      outValues.push(null);
    }
    outTimes.push(t);
    outValues.push(values[i] ?? null);
  });
  return { times: outTimes, values: outValues };
}

function drawable(v: any): number | null {
  return typeof v === "number" && Number.isFinite(v) ? v : null;
}
