// What a time series chart draws, free of any panel or query.
import type { Range } from "../lib/time";

export interface ChartSeries {
  name: string;
  color: string;
  times: number[];
  values: (number | null)[];
  unit?: string;
  decimals?: number | null;
  draw?: "line" | "bars" | "points";
  width?: number;
  /** Fill below the line in percent. */
  fill?: number;
  gradient?: boolean;
  interpolation?: "linear" | "smooth" | "stepBefore" | "stepAfter";
  dash?: number[];
  points?: "auto" | "always" | "never";
  spanNulls?: boolean;
  stack?: { mode: "normal" | "percent"; group: string };
  /** Series on one scale share an axis. */
  axis?: { side?: "left" | "right" | "hidden"; label?: string; min?: number | null; max?: number | null; softMin?: number; softMax?: number; log?: number; centered?: boolean };
  hidden?: boolean;
  /** How the tooltip prints a value. */
  format?: (v: number) => string;
}

export interface Marker {
  value: number;
  color: string;
  style: "line" | "dashed" | "area";
  /** Upper end of an area; the chart's top when missing. */
  until?: number;
}

export interface ChartModel {
  series: ChartSeries[];
  range: Range;
  markers?: Marker[];
  tooltip?: { mode: "multi" | "single" | "none"; sort: "none" | "asc" | "desc" };
}

export interface Stacked {
  /** Values to draw, in the order of the series. */
  columns: (number | null)[][];
  /** For each series, the index of the series that its fill rests on, or -1 for the zero line. */
  base: number[];
}

/** Piles series of one stack group on top of each other. Negative values pile downward on their own. */
export function stack(columns: (number | null)[][], groups: (string | null)[], percent: boolean[]): Stacked {
  const out = columns.map((c) => c);
  const base = columns.map(() => -1);
  const keyOf = (i: number) => (groups[i] === null ? null : `${groups[i]}${columns[i]!.some((v) => (v ?? 0) < 0) ? "-" : "+"}`);
  const totals = new Map<string, number[]>();
  columns.forEach((c, i) => {
    const key = keyOf(i);
    if (key === null || !percent[i]) return;
    const total = totals.get(key) ?? new Array<number>(c.length).fill(0);
    c.forEach((v, k) => (total[k] = total[k]! + (v ?? 0)));
    totals.set(key, total);
  });
  const piles = new Map<string, { sums: number[]; members: number[] }>();
  columns.forEach((c, i) => {
    const key = keyOf(i);
    if (key === null) return;
    const pile = piles.get(key) ?? { sums: new Array<number>(c.length).fill(0), members: [] };
    piles.set(key, pile);
    const total = totals.get(key);
    c.forEach((v, k) => (pile.sums[k] = pile.sums[k]! + (total ? (total[k] ? (v ?? 0) / Math.abs(total[k]!) : 0) : (v ?? 0))));
    out[i] = c.map((v, k) => (v === null || v === undefined ? v : pile.sums[k]!));
    // A fill needs a lower edge wherever the series has a value, so series that pause there are passed over.
    base[i] = pile.members.findLast((j) => c.every((v, k) => v === null || v === undefined || typeof columns[j]![k] === "number")) ?? -1;
    pile.members.push(i);
  });
  return { columns: out, base };
}

/** Axis steps for binary units: powers of two read as round numbers of KiB, MiB, … */
export function binaryIncrements(): number[] {
  return Array.from({ length: 80 }, (_, k) => 2 ** (k - 10));
}

export const isBinaryUnit = (unit: string | undefined): boolean => unit !== undefined && /^(bytes|bits|kbytes|mbytes|gbytes|tbytes|binBps|binbps|[KMG]iBs)$/.test(unit);

/** Clock text for ticks of the given spacing; the date joins where a day begins. */
export function tickText(ms: number, stepMs: number): string {
  const d = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const date = `${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  if (stepMs >= 28 * 86_400_000) return `${d.getFullYear()}-${two(d.getMonth() + 1)}`;
  if (stepMs >= 86_400_000) return date;
  const clock = `${two(d.getHours())}:${two(d.getMinutes())}`;
  if (stepMs >= 60_000) return clock === "00:00" ? date : clock;
  return `${clock}:${two(d.getSeconds())}`;
}
