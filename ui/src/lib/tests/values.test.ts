// Thresholds, mappings, reducers, legends and colours.
import { describe, expect, test } from "vitest";
import { contrastText, paletteColor, rampColor, resolveColor } from "../colors";
import { autoNames, renderLegend, seriesName } from "../legend";
import { absoluteSteps, activeThreshold, mapValue, valueColor, type ValueMapping } from "../mappings";
import { sortedIndex } from "../order";
import { reduce } from "../reduce";

describe("thresholds", () => {
  const absolute = { mode: "absolute" as const, steps: [{ value: null, color: "green" }, { value: 70, color: "orange" }, { value: 90, color: "red" }] };
  test.each([[-5, "green"], [0, "green"], [69.9, "green"], [70, "orange"], [90, "red"], [1e9, "red"]])("%d is %s", (v, color) => {
    expect(activeThreshold(v, absolute)?.color).toBe(color);
  });
  test("percentages are of the range between min and max", () => {
    const relative = { mode: "percentage" as const, steps: absolute.steps };
    expect(activeThreshold(160, relative, 100, 200)?.color).toBe("green");
    expect(activeThreshold(195, relative, 100, 200)?.color).toBe("red");
    expect(absoluteSteps(relative, 100, 200).map((s) => s.value)).toEqual([-Infinity, 170, 190]);
  });
  test("fixed colours win over thresholds", () => {
    expect(valueColor(95, { mode: "fixed", fixedColor: "#123456" }, absolute, "dark")).toBe("#123456");
    expect(valueColor(95, { mode: "palette-classic" }, absolute, "dark")).toBeNull();
  });
});

describe("mappings", () => {
  const mappings: ValueMapping[] = [
    { type: "value", options: { "0": { text: "down", color: "red" }, ok: { text: "fine" } } },
    { type: "range", options: { from: 10, to: 20, result: { text: "teens" } } },
    { type: "regex", options: { pattern: "^web-(\\d+)$", result: { text: "host $1" } } },
    { type: "special", options: { match: "null+nan", result: { text: "N/A" } } },
    { type: 1, value: "7", text: "seven" },
    { type: 2, from: "100", to: "200", text: "hundreds" },
  ];
  test.each([[0, "down"], ["ok", "fine"], [15, "teens"], ["web-12", "host 12"], [null, "N/A"], [NaN, "N/A"], [7, "seven"], [150, "hundreds"]])("%s shows %s", (v, text) => {
    expect(mapValue(v, mappings)?.text).toBe(text);
  });
  test("no mapping matches", () => expect(mapValue(5, mappings)).toBeNull());
});

test.each([
  ["lastNotNull", [1, 2, null], 2], ["last", [1, 2, null], null], ["first", [null, 2], null], ["firstNotNull", [null, 2], 2], ["mean", [1, 2, null, 6], 3], ["avg", [2, 4], 3],
  ["sum", [1, 2, null], 3], ["min", [3, 1, 2], 1], ["max", [3, 1, 2], 3], ["count", [1, null, 2], 2], ["range", [3, 9], 6], ["delta", [5, 8, 2, 4], 7], ["diff", [5, 8, 2], -3],
  ["median", [4, 1, 3, 2], 2.5], ["p95", [1, 2, 3, 4], 4], ["stdDev", [2, 4, 4, 4, 5, 5, 7, 9], 2], ["changeCount", [1, 1, 2, 2, 1], 2], ["distinctCount", [1, null, 1, 2], 2], ["diffperc", [4, 5], 25], ["p50", [5, 8, 2, 4], 5], ["nonsense", [1], null], ["mean", [], null],
] as const)("%s of %j", (calc, values, result) => expect(reduce(values, calc)).toBe(result));

describe("legends", () => {
  test("templates", () => {
    expect(renderLegend("{{instance}} {{ mode }}{{missing}}", { instance: "a", mode: "idle" })).toBe("a idle");
    expect(seriesName({ __name__: "up", job: "node" })).toBe('up{job="node"}');
  });
  test("automatic names show what differs", () => {
    expect(autoNames([{ __name__: "up", job: "a", x: "1" }, { __name__: "up", job: "b", x: "1" }])).toEqual(["a", "b"]);
    expect(autoNames([{ __name__: "up", job: "a" }])).toEqual(["up"]);
    expect(autoNames([{ job: "a", x: "1" }, { job: "b", x: "2" }])).toEqual(['{job="a", x="1"}', '{job="b", x="2"}']);
  });
});

test("colours", () => {
  expect(resolveColor("green", "dark")).not.toBe(resolveColor("dark-green", "dark"));
  expect(resolveColor("super-light-blue", "dark")).toMatch(/^#/);
  expect(resolveColor("rgba(1, 2, 3, 0.5)", "dark")).toBe("rgba(1, 2, 3, 0.5)");
  expect(resolveColor("url(javascript:alert(1))", "dark")).toBe("#808080");
  expect(paletteColor(0, "dark")).toBe(paletteColor(12, "dark"));
  expect(contrastText("#ffffff")).toBe("#10161d");
  expect(rampColor("continuous-GrYlRd", 0)).not.toBe(rampColor("continuous-GrYlRd", 1));
});

test("sorting puts missing values last in both directions", () => {
  expect(sortedIndex([3, null, 1], false)).toEqual([2, 0, 1]);
  expect(sortedIndex([3, null, 1], true)).toEqual([0, 2, 1]);
  expect(sortedIndex(["cpu10", "cpu2"], false)).toEqual([1, 0]);
});
