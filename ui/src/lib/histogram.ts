// Native histograms as the API writes them.
import type { Histogram } from "../api/prometheus";

const number = (text: string): number => (text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text));

/** A quantile by linear interpolation within its bucket; NaN without observations. */
export function quantileOf(h: Histogram, q: number): number {
  const total = number(h.count);
  if (!(total > 0)) return NaN;
  let left = q * total;
  let last = NaN;
  for (const [, low, high, count] of h.buckets ?? []) {
    const [from, to, n] = [number(low), number(high), number(count)];
    if (left <= n && n > 0) {
      if (!Number.isFinite(from)) return to;
      return Number.isFinite(to) ? from + (to - from) * (left / n) : from;
    }
    left -= n;
    last = to;
  }
  return last;
}

/** A bucket's bounds with the brackets that say which of them belong to it. */
export function boundsText([rule, low, high]: readonly [number, string, string, string]): string {
  return `${rule === 1 || rule === 3 ? "[" : "("}${low}, ${high}${rule === 0 || rule === 3 ? "]" : ")"}`;
}
