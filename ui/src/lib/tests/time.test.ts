import { expect, test } from "vitest";
import { chartInterval, describeRange, formatAgo, formatDuration, parseDuration, parseTime, resolveRange, roundInterval } from "../time";

const now = new Date(2026, 4, 20, 15, 42, 33, 500).getTime(); // a Wednesday
const local = (...args: [number, number, number?, number?, number?, number?, number?]) => new Date(...(args as [number, number])).getTime();

const expressions: [text: string, up: boolean, ms: number | null][] = [
  ["now", false, now],
  ["now-6h", false, now - 6 * 3600e3],
  ["now-90s", false, now - 90e3],
  ["now/d", false, local(2026, 4, 20)],
  ["now/d", true, local(2026, 4, 21) - 1],
  ["now-1d/d", false, local(2026, 4, 19)],
  ["now/w", false, local(2026, 4, 18)],
  ["now-1M", false, local(2026, 3, 20, 15, 42, 33, 500)],
  ["now/y", false, local(2026, 0, 1)],
  ["1700000000000", false, 1_700_000_000_000],
  ["2026-01-31T12:00:00Z", false, Date.UTC(2026, 0, 31, 12)],
  ["now-6x", false, null],
  ["yesterday", false, null],
];

test.each(expressions)("%s (end: %s)", (text, up, ms) => {
  expect(parseTime(text, now, up)).toBe(ms);
});

test("ranges", () => {
  expect(resolveRange({ from: "now-1h", to: "now" }, now)).toEqual({ from: now - 3600e3, to: now });
  expect(resolveRange({ from: "now", to: "now-1h" }, now)).toBeNull();
  expect(describeRange({ from: "now-6h", to: "now" })).toBe("Last 6 hours");
  expect(describeRange({ from: "now-42m", to: "now" })).toBe("now-42m to now");
});

test.each([
  [0, "0s"], [0.25, "250µs"], [12.345, "12.3ms"], [1500, "1.5s"], [61_000, "1m 1s"], [3_600_000, "1h"], [90_061_000, "1d 1h"],
])("%d ms is %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

test.each([["30s", 30_000], ["1m", 60_000], ["1h30m", 5_400_000], ["250ms", 250], ["1d", 86_400_000], ["", null], ["auto", null]] as const)("duration %s", (text, ms) =>
  expect(parseDuration(text)).toBe(ms),
);

test("ages", () => {
  expect(formatAgo(now - 8090, now)).toBe("8s ago");
  expect(formatAgo(now - 400, now)).toBe("just now");
  expect(formatAgo(now + 7_200_000, now)).toBe("in 2h");
});

// Sampled from the behaviour of the original's interval rounding.
test.each([[12, 10], [37, 50], [120, 100], [1501, 2000], [7200, 5000], [45_000, 60_000], [130_000, 120_000], [999_999, 900_000]])("an interval of %d ms rounds to %d", (ms, rounded) =>
  expect(roundInterval(ms)).toBe(rounded),
);

test("the step of a chart respects the minimum", () => {
  expect(chartInterval({ from: 0, to: 3_600_000 }, 600)).toBe(5000);
  expect(chartInterval({ from: 0, to: 3_600_000 }, 600, 15_000)).toBe(15_000);
});
