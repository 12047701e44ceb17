// Range query results as chart series.
import { parseSample, type Histogram, type MatrixSeries } from "../api/prometheus";
import { paletteColor } from "./colors";
import { openGaps } from "./frames";
import { quantileOf } from "./histogram";
import { autoNames } from "./legend";
import type { ChartSeries } from "../chart/model";

/** Of a native histogram the chart shows these quantiles as lines. */
const QUANTILES = [0.5, 0.9, 0.99];

export function matrixSeries(drawn: readonly MatrixSeries[], stepMs: number, theme: "dark" | "light"): ChartSeries[] {
  const names = autoNames(drawn.map((s) => s.metric));
  const lines = drawn.flatMap((s, i) => [
    ...(s.values?.length ? [{ name: names[i]!, samples: s.values.map(([t, v]): [number, number] => [t, parseSample(v)]) }] : []),
    ...(s.histograms?.length ? QUANTILES.map((q) => ({ name: `${names[i]} p${q * 100}`, samples: s.histograms!.map(([t, h]: [number, Histogram]): [number, number] => [t, quantileOf(h, q)]) })) : []),
  ]);
  const unique = distinct(lines.map((l) => l.name));
  return lines.map((l, i) => {
    const gapped = openGaps(l.samples.map(([t]) => Math.round(t * 1000)), l.samples.map(([, v]) => v), stepMs);
    return { name: unique[i]!, color: paletteColor(i, theme), ...gapped, width: 1.25, axis: {}, draw: "line" as const };
  });
}

// Legends hide and show by name, so two series must never share one.
function distinct(names: string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((n) => {
    const count = (seen.get(n) ?? 0) + 1;
    seen.set(n, count);
    return count === 1 ? n : `${n} (${count})`;
  });
}
