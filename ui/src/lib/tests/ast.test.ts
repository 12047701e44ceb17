import { expect, test } from "vitest";
import { children, text, title, type Node } from "../ast";

const up: Node = { type: "vectorSelector", name: "up", matchers: [{ name: "__name__", type: "=", value: "up" }, { name: "job", type: "=~", value: "a.*" }], offset: 0, timestamp: null, startOrEnd: null };
const rate: Node = { type: "call", func: { name: "rate" }, args: [{ type: "matrixSelector", name: "a.b", range: 300_000, matchers: [{ name: "__name__", type: "=", value: "a.b" }], offset: -3_600_000, timestamp: 1500, startOrEnd: null }] };
const cases: [Node, string, string][] = [
  [up, 'up{job=~"a.*"}', 'up{job=~"a.*"}'],
  [rate, 'rate({"a.b"}[5m] @ 1.500 offset -1h)', "rate()"],
  [{ type: "aggregation", op: "topk", param: { type: "numberLiteral", val: "3" }, expr: up, grouping: ["x", "y z"], without: true }, 'topk without (x, "y z") (3, up{job=~"a.*"})', 'topk without (x, "y z")'],
  [{ type: "aggregation", op: "sum", param: null, expr: up, grouping: [], without: false }, 'sum (up{job=~"a.*"})', "sum"],
  [{ type: "binaryExpr", op: "/", lhs: up, rhs: { type: "parenExpr", expr: { type: "unaryExpr", op: "-", expr: up } }, matching: { card: "many-to-one", labels: ["a"], on: true, include: ["t"] }, bool: false }, 'up{job=~"a.*"} / on (a) group_left (t) (-up{job=~"a.*"})', "/ on (a) group_left (t)"],
  [{ type: "binaryExpr", op: ">", lhs: up, rhs: { type: "numberLiteral", val: "1" }, matching: null, bool: true }, 'up{job=~"a.*"} > bool 1', "> bool"],
  [{ type: "subquery", expr: up, range: 1_800_000, step: 60_000, offset: 0, timestamp: null, startOrEnd: "end" }, 'up{job=~"a.*"}[30m:1m] @ end()', "[30m:1m] @ end()"],
];
test.each(cases)("%#: node to text", (node, expected, short) => {
  expect(text(node)).toBe(expected);
  expect(title(node)).toBe(short);
});

test("children come in the order of the text", () => {
  expect(children(cases[2]![0]).map((c) => c.type)).toEqual(["numberLiteral", "vectorSelector"]);
});
