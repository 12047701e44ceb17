import { expect, test } from "vitest";
import { isBinaryUnit, stack, tickText } from "../model";

test("series of one group pile up, others stay", () => {
  const s = stack([[1, 2], [10, null], [5, 5]], ["A", "A", null], [false, false, false]);
  expect(s.columns).toEqual([[1, 2], [11, null], [5, 5]]);
  expect(s.base).toEqual([-1, 0, -1]);
});

test("negative series pile downward on their own", () => {
  const s = stack([[1], [-2], [3], [-4]], ["A", "A", "A", "A"], [false, false, false, false]);
  expect(s.columns).toEqual([[1], [-2], [4], [-6]]);
  expect(s.base).toEqual([-1, -1, 0, 1]);
});

test("a fill rests on the nearest series below that has values wherever it has", () => {
  const s = stack([[7, 7], [0, null], [2, 2], [null, 1]], ["A", "A", "A", "A"], [false, false, false, false]);
  expect(s.columns).toEqual([[7, 7], [7, null], [9, 9], [null, 10]]);
  expect(s.base).toEqual([-1, 0, 0, 2]);
  expect(stack([[1, null], [null, 2], [3, 4]], ["A", "A", "A"], [false, false, false]).base).toEqual([-1, -1, -1]);
});

test("percent stacks fill the whole", () => {
  const s = stack([[1, 0], [3, 0]], ["A", "A"], [true, true]);
  expect(s.columns).toEqual([[0.25, 0], [1, 0]]);
});

test("ticks name the day where it begins", () => {
  const at = (h: number, m: number, s = 0) => new Date(2026, 4, 7, h, m, s).getTime();
  expect(tickText(at(13, 5), 300_000)).toBe("13:05");
  expect(tickText(at(0, 0), 3_600_000)).toBe("05-07");
  expect(tickText(at(13, 5, 30), 10_000)).toBe("13:05:30");
  expect(tickText(at(0, 0), 86_400_000)).toBe("05-07");
});

test("binary units", () => expect(["bytes", "binBps", "decbytes", "short", undefined].map(isBinaryUnit)).toEqual([true, true, false, false, false]));
