import { expect, test } from "vitest";
import { formatPattern, formatValue } from "../units";

const cases: [value: number, unit: string | undefined, decimals: number | null | undefined, text: string][] = [
  [0, undefined, undefined, "0"],
  [1234567, "short", undefined, "1.23 Mil"],
  [999, "short", undefined, "999"],
  [0.123456, "short", undefined, "0.123"],
  [0.00045, "none", undefined, "0.000450"],
  [-1500, "short", undefined, "-1.50 K"],
  [12.345, "none", 1, "12.3"],
  [-0.001, "none", 1, "0.0"],
  [1234567.891, "locale", undefined, "1,234,567.891"],
  [42.5, "percent", undefined, "42.5%"],
  [0.425, "percentunit", undefined, "42.5%"],
  [0.29, "percentunit", undefined, "29%"],
  [1536, "bytes", undefined, "1.50 KiB"],
  [1024 ** 3, "bytes", undefined, "1 GiB"],
  [1500, "decbytes", undefined, "1.50 kB"],
  [2048, "kbytes", undefined, "2 MiB"],
  [1e6, "bps", undefined, "1 Mb/s"],
  [1500, "Bps", undefined, "1.50 kB/s"],
  [1536, "binBps", undefined, "1.50 KiB/s"],
  [12, "pps", undefined, "12 p/s"],
  [1200, "reqps", undefined, "1.20 K req/s"],
  [3.14159, "ops", undefined, "3.14 ops/s"],
  [0, "s", undefined, "0 s"],
  [0.0125, "s", undefined, "12.5 ms"],
  [0.000001, "s", undefined, "1 µs"],
  [1.5e-8, "s", undefined, "15 ns"],
  [90, "s", undefined, "1.50 mins"],
  [3600, "s", undefined, "1 hour"],
  [7200, "s", undefined, "2 hours"],
  [259200, "s", undefined, "3 days"],
  [1500, "ms", undefined, "1.50 s"],
  [250, "ms", undefined, "250 ms"],
  [2500, "µs", undefined, "2.50 ms"],
  [3.2e9, "hertz", undefined, "3.20 GHz"],
  [65.2, "celsius", undefined, "65.2 °C"],
  [1250, "watt", undefined, "1.25 kW"],
  [90061, "dtdurations", undefined, "1 day, 1 hour"],
  [3725, "dthms", undefined, "01:02:05"],
  [1, "bool_yes_no", undefined, "Yes"],
  [2500, "currencyUSD", undefined, "$2.50K"],
  [255, "hex", undefined, "FF"],
  [3, "cores", undefined, "3 cores"],
  [3.5, "suffix: nodes", undefined, "3.50 nodes"],
  [7, "prefix:v", undefined, "v7"],
  [1200, "si:mW", undefined, "1.20 W"],
  [1500, "count:jobs", undefined, "1.50 K jobs"],
  [0, "bool:open/shut", undefined, "shut"],
  [Infinity, "short", undefined, "Inf"],
  [NaN, "short", undefined, "NaN"],
];

test.each(cases)("%s as %s with %s decimals is %s", (value, unit, decimals, text) => {
  expect(formatValue(value, unit, decimals)).toBe(text);
});

test("time patterns", () => {
  const ms = new Date(2026, 0, 5, 7, 8, 9).getTime();
  expect(formatPattern(ms, "YYYY-MM-DD HH:mm:ss [at] D")).toBe("2026-01-05 07:08:09 at 5");
});
