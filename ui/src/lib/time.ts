// Time ranges: date math (`now-6h`, `now/d`, epoch milliseconds, ISO dates), Go-style durations, quick ranges.

export interface RawRange {
  from: string;
  to: string;
}

export interface Range {
  from: number;
  to: number;
}

export const quickRanges: { label: string; from: string; to: string }[] = [
  ["Last 5 minutes", "now-5m", "now"],
  ["Last 15 minutes", "now-15m", "now"],
  ["Last 30 minutes", "now-30m", "now"],
  ["Last 1 hour", "now-1h", "now"],
  ["Last 3 hours", "now-3h", "now"],
  ["Last 6 hours", "now-6h", "now"],
  ["Last 12 hours", "now-12h", "now"],
  ["Last 24 hours", "now-24h", "now"],
  ["Last 2 days", "now-2d", "now"],
  ["Last 7 days", "now-7d", "now"],
  ["Last 30 days", "now-30d", "now"],
  ["Today", "now/d", "now/d"],
  ["Today so far", "now/d", "now"],
  ["Yesterday", "now-1d/d", "now-1d/d"],
  ["This week so far", "now/w", "now"],
].map(([label, from, to]) => ({ label: label!, from: from!, to: to! }));

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Epoch milliseconds of a time expression, or null when it is not one. `roundUp` decides which end `/d` means. */
export function parseTime(text: string, now: number, roundUp = false): number | null {
  const t = text.trim();
  if (/^-?\d+$/.test(t)) return Number(t);
  if (!t.startsWith("now")) {
    const iso = Date.parse(/^\d{4}-\d\d-\d\d \d/.test(t) ? t.replace(" ", "T") : t);
    return Number.isNaN(iso) ? null : iso;
  }
  let rest = t.slice(3).replaceAll(" ", "");
  const d = new Date(now);
  while (rest !== "") {
    const m = /^(?:([+-])(\d+)([smhdwMy])|\/([smhdwMy]))/.exec(rest);
    if (!m) return null;
    if (m[4]) roundTo(d, m[4], roundUp);
    else shift(d, (m[1] === "-" ? -1 : 1) * Number(m[2]), m[3]!);
    rest = rest.slice(m[0].length);
  }
  return d.getTime();
}

export function resolveRange(raw: RawRange, now = Date.now()): Range | null {
  const from = parseTime(raw.from, now, false);
  const to = parseTime(raw.to, now, true);
  if (from === null || to === null || from > to) return null;
  return { from, to };
}

function shift(d: Date, n: number, unit: string): void {
  if (unit === "M") d.setMonth(d.getMonth() + n);
  else if (unit === "y") d.setFullYear(d.getFullYear() + n);
  else d.setTime(d.getTime() + n * unitMs[unit]!);
}

function roundTo(d: Date, unit: string, up: boolean): void {
  const start = new Date(d);
  if (unit === "y") start.setMonth(0, 1);
  if (unit === "M") start.setDate(1);
  if (unit === "w") start.setDate(start.getDate() - ((start.getDay() + 6) % 7));
  if ("yMwd".includes(unit)) start.setHours(0, 0, 0, 0);
  else if (unit === "h") start.setMinutes(0, 0, 0);
  else if (unit === "m") start.setSeconds(0, 0);
  else start.setMilliseconds(0);
  if (up) {
    shift(start, 1, unit);
    start.setTime(start.getTime() - 1);
  }
  d.setTime(start.getTime());
}

/** "Last 1 hour", "2026-01-02 10:00 to …": what the range button says. */
export function describeRange(raw: RawRange): string {
  const quick = quickRanges.find((q) => q.from === raw.from && q.to === raw.to);
  if (quick) return quick.label;
  return `${describeEnd(raw.from)} to ${describeEnd(raw.to)}`;
}

function describeEnd(end: string): string {
  if (end.startsWith("now")) return end;
  const ms = parseTime(end, 0);
  return ms === null ? end : formatDateTime(ms);
}

const two = (n: number) => String(n).padStart(2, "0");

export function formatDateTime(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${formatClock(ms)}`;
}

export function formatClock(ms: number, millis = false): string {
  const d = new Date(ms);
  const base = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return millis ? `${base}.${String(d.getMilliseconds()).padStart(3, "0")}` : base;
}

/** "3m ago", "in 2h", exact to one unit: for lists. */
export function formatAgo(ms: number, now = Date.now()): string {
  const delta = now - ms;
  if (Math.abs(delta) < 1000) return "just now";
  const text = formatDuration(Math.round(Math.abs(delta) / 1000) * 1000, 1);
  return delta >= 0 ? `${text} ago` : `in ${text}`;
}

/** Compact duration (`1d 2h`, `350ms`) with at most `parts` units. */
export function formatDuration(ms: number, parts = 2): string {
  if (ms < 1) return ms === 0 ? "0s" : `${trim(ms * 1000)}µs`;
  if (ms < 1000) return `${trim(ms)}ms`;
  if (ms < 60_000) return `${trim(ms / 1000)}s`;
  let rest = Math.round(ms / 1000);
  const out: string[] = [];
  for (const [unit, size] of [["w", 604800], ["d", 86400], ["h", 3600], ["m", 60], ["s", 1]] as const) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) out.push(`${n}${unit}`);
    if (out.length === parts) break;
  }
  return out.join(" ");
}

function trim(v: number): string {
  return String(Number(v.toPrecision(3)));
}

/** Milliseconds of `30s`, `1m`, `1h30m`, `1d`; null when it is no duration. */
export function parseDuration(text: string): number | null {
  const t = text.trim();
  if (t === "") return null;
  let total = 0;
  let rest = t;
  while (rest !== "") {
    const m = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)/.exec(rest);
    if (!m) return null;
    total += Number(m[1]) * (m[2] === "y" ? 365 * unitMs.d! : unitMs[m[2]!]!);
    rest = rest.slice(m[0].length);
  }
  return total;
}

// The steps a calculated interval is rounded to: the largest step whose lower bound is below the interval.
const intervalSteps: [below: number, step: number][] = [
  [10, 1], [15, 10], [35, 20], [75, 50], [150, 100], [350, 200], [750, 500], [1500, 1000], [3500, 2000], [7500, 5000],
  [12500, 10_000], [17500, 15_000], [25_000, 20_000], [45_000, 30_000], [90_000, 60_000], [210_000, 120_000], [450_000, 300_000],
  [750_000, 600_000], [1_050_000, 900_000], [1_500_000, 1_200_000], [2_700_000, 1_800_000], [5_400_000, 3_600_000],
  [9_000_000, 7_200_000], [16_200_000, 10_800_000], [32_400_000, 21_600_000], [86_400_000, 43_200_000], [604_800_000, 86_400_000],
  [1_814_400_000, 604_800_000], [3_628_800_000, 2_592_000_000],
];

/** Rounds a raw interval (range ÷ points) to a human step. */
export function roundInterval(ms: number): number {
  for (const [below, step] of intervalSteps) if (ms < below) return step;
  return 31_536_000_000;
}

/** Step for a chart: the rounded range ÷ points, never below the minimum. */
export function chartInterval(range: Range, maxDataPoints: number, minMs = 0): number {
  return Math.max(roundInterval((range.to - range.from) / Math.max(1, maxDataPoints)), minMs, 1);
}
