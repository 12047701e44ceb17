// Reducers: many values to one. Used by stat panels, legends and the `reduce` transformation.

export type Cell = number | string | boolean | null | undefined | object;

type Reducer = (numbers: number[], all: Cell[]) => number | string | boolean | null;

const last = <T,>(a: T[]): T | undefined => a[a.length - 1];
const sum = (a: number[]) => a.reduce((s, v) => s + v, 0);
const mean = (a: number[]) => (a.length ? sum(a) / a.length : null);
const fold = (a: number[], pick: (x: number, y: number) => number) => (a.length ? a.reduce((x, y) => pick(x, y)) : null);
const variance = (a: number[]) => {
  const m = mean(a);
  return m === null ? null : sum(a.map((v) => (v - m) ** 2)) / a.length;
};

function percentile(a: number[], p: number): number | null {
  if (a.length === 0) return null;
  const sorted = [...a].sort((x, y) => x - y);
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))]!;
}

const present = (all: Cell[]) => all.filter((v) => v !== null && v !== undefined);

const scalar = (v: Cell): number | string | boolean | null => (v === undefined || typeof v === "object" ? null : v);

const reducers: Record<string, Reducer> = {
  lastNotNull: (_, all) => scalar(all.findLast((v) => v !== null && v !== undefined)),
  last: (_, all) => scalar(last(all)),
  firstNotNull: (_, all) => scalar(all.find((v) => v !== null && v !== undefined)),
  first: (_, all) => scalar(all[0]),
  min: (a) => fold(a, Math.min),
  max: (a) => fold(a, Math.max),
  mean,
  sum: (a) => (a.length ? sum(a) : 0),
  count: (a) => a.length,
  countAll: (_, all) => all.length,
  range: (a) => (a.length ? fold(a, Math.max)! - fold(a, Math.min)! : null),
  delta: (a) => a.reduce((s, v, i) => (i === 0 ? 0 : s + (v >= a[i - 1]! ? v - a[i - 1]! : v)), 0),
  diff: (a) => (a.length ? last(a)! - a[0]! : null),
  diffperc: (a) => (a.length ? ((last(a)! - a[0]!) / a[0]!) * 100 : null),
  step: (a) => (a.length > 1 ? Math.min(...a.slice(1).map((v, i) => v - a[i]!)) : null),
  logmin: (a) => fold(a.filter((v) => v > 0), Math.min),
  median: (a) => {
    if (a.length === 0) return null;
    const s = [...a].sort((x, y) => x - y);
    const mid = s.length >> 1;
    return s.length % 2 ? s[mid]! : (s[mid - 1]! + s[mid]!) / 2;
  },
  variance,
  stdDev: (a) => {
    const v = variance(a);
    return v === null ? null : Math.sqrt(v);
  },
  allIsNull: (a) => a.length === 0,
  allIsZero: (a) => a.length > 0 && a.every((v) => v === 0),
  changeCount: (_, all) => present(all).filter((v, i, a) => i > 0 && v !== a[i - 1]).length,
  distinctCount: (_, all) => new Set(present(all)).size,
};
// Names that older dashboards use.
const aliases: Record<string, string> = { avg: "mean", current: "lastNotNull", total: "sum" };

export const reducerLabels: Record<string, string> = {
  lastNotNull: "Last *", last: "Last", firstNotNull: "First *", first: "First", min: "Min", max: "Max", mean: "Mean", sum: "Total",
  count: "Count", range: "Range", delta: "Delta", diff: "Difference", diffperc: "Difference %", median: "Median", stdDev: "StdDev",
};

/** Applies one reducer; an unknown name yields null so that a panel shows "no data" and not a wrong number. */
export function reduce(values: readonly Cell[], calc: string): number | string | boolean | null {
  const name = aliases[calc] ?? calc;
  const all = values as Cell[];
  const numbers = all.filter((v): v is number => typeof v === "number" && !Number.isNaN(v));
  const percent = /^p(\d{1,2})$/.exec(name);
  if (percent) return percentile(numbers, Number(percent[1]));
  return reducers[name]?.(numbers, all) ?? null;
}

export function reducerLabel(calc: string): string {
  const name = aliases[calc] ?? calc;
  return reducerLabels[name] ?? name;
}
