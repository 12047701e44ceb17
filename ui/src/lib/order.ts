// Ordering of mixed values: numbers by size, text naturally (`cpu2` before `cpu10`), missing values last.

/** Row numbers in sorted order; equal rows keep their place. */
export function sortedIndex(values: readonly unknown[], desc: boolean): number[] {
  const sign = desc ? -1 : 1;
  return values
    .map((_, i) => i)
    .sort((a, b) => {
      const x = values[a];
      const y = values[b];
      if (x === y) return a - b;
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      if (typeof x === "number" && typeof y === "number") return sign * (x - y) || a - b;
      return sign * String(x).localeCompare(String(y), "en", { numeric: true }) || a - b;
    });
}
