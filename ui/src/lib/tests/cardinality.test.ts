import { expect, test } from "vitest";
import { barWidth, countQuery, selectorOf, totalQuery, valuesQuery } from "../cardinality";

test.each([
  [[], '{__name__!=""}'],
  [[{ name: "__name__", value: "up" }], '{__name__="up"}'],
  [[{ name: "__name__", value: "up" }, { name: "path", value: 'a"b\\c\n' }], '{__name__="up",path="a\\"b\\\\c\\n"}'],
  [[{ name: "service.name", value: "x" }], '{"service.name"="x"}'],
])("selector of %j", (path, expected) => expect(selectorOf(path)).toBe(expected));

test("queries count what is under the focus", () => {
  expect(countQuery([], "job", 20)).toBe('sort_desc(topk(20, count by (job) ({__name__!=""})))');
  expect(valuesQuery([{ name: "job", value: "a}" }], "host")).toBe('count(count by (host) ({job="a}",host!=""}))');
  expect(totalQuery([{ name: "job", value: "a" }])).toBe('count({job="a"})');
});

test.each([[50, 100, "50.0%"], [0, 100, "0.5%"], [5, 0, "0.5%"]])("bar of %d in %d", (value, most, expected) => expect(barWidth(value, most)).toBe(expected));
