// Markdown, completion, matchers, trace trees.
import { describe, expect, test } from "vitest";
import { completionAt, rank } from "../complete";
import { parseInline, parseMarkdown, safeHref } from "../markdown";
import { formatMatcher, parseMatchers } from "../matchers";
import { parseTags, spanTree, summarize, visibleSpans, type Trace } from "../trace";

describe("markdown", () => {
  test("blocks", () => {
    const kinds = parseMarkdown("# Title\n\ntext\nmore\n\n- a\n- b\n  - c\n\n```\ncode\n```\n\n> quote\n\n|a|b|\n|-|-|\n|1|2|\n\n---").map((b) => b.type);
    expect(kinds).toEqual(["heading", "paragraph", "list", "code", "quote", "table", "rule"]);
  });
  test("html stays text", () => {
    expect(parseInline("<script>alert(1)</script>")).toEqual([{ type: "text", text: "<script>alert(1)</script>" }]);
  });
  test("links run nothing", () => {
    expect(parseInline("[x](javascript:alert(1))")[0]?.type).toBe("em");
    expect(parseInline("[x](https://example.org)")[0]).toMatchObject({ type: "link", href: "https://example.org" });
    expect(["javascript:x", "data:text/html,x", "//evil.example", " javascript:x", "vbscript:x"].map(safeHref)).toEqual([false, false, false, false, false]);
    expect(["/d/abc", "mailto:a@b.c", "http://x", "#part"].map(safeHref)).toEqual([true, true, true, true]);
  });
  test("inline styles", () => {
    expect(parseInline("a **b** _c_ `d` ~~e~~").map((n) => n.type)).toEqual(["text", "strong", "text", "em", "text", "code", "text", "del"]);
  });
  test("deep nesting ends", () => {
    expect(() => parseMarkdown("> ".repeat(5000) + "x")).not.toThrow();
  });
});

test.each([
  ["node_c", { kind: "metric", prefix: "node_c" }],
  ["rate(node_", { kind: "metric", prefix: "node_" }],
  ["up{", { kind: "label", prefix: "", metric: "up" }],
  ["up{jo", { kind: "label", prefix: "jo", metric: "up" }],
  ['up{job="no', { kind: "value", prefix: "no", label: "job", metric: "up" }],
  ['up{job="node",inst', { kind: "label", prefix: "inst" }],
  ["sum by (ins", { kind: "label", prefix: "ins" }],
  ['up{job="node"} + no', { kind: "metric", prefix: "no" }],
] as const)("completion in %s", (text, context) => expect(completionAt(text, text.length)).toMatchObject(context));

test("no completion inside a duration", () => expect(completionAt("rate(x[5", 8)).toBeNull());

test("completion ranks prefixes first", () => {
  expect(rank(["container_cpu", "node_cpu_seconds_total", "cpu_count", "node_memory_cpu"], "cpu", 10)).toEqual(["cpu_count", "container_cpu", "node_cpu_seconds_total", "node_memory_cpu"]);
  expect(rank(["node_cpu_seconds_total"], "node_sec", 10)).toEqual(["node_cpu_seconds_total"]);
});

test("matchers", () => {
  expect(parseMatchers('{severity="critical", job=~"node.*",x!=y}')).toEqual([
    { name: "severity", value: "critical", isRegex: false, isEqual: true },
    { name: "job", value: "node.*", isRegex: true, isEqual: true },
    { name: "x", value: "y", isRegex: false, isEqual: false },
  ]);
  expect(parseMatchers("")).toEqual([]);
  expect(parseMatchers("severity")).toBeNull();
  expect(formatMatcher({ name: "a", value: 'x"y', isRegex: true, isEqual: false })).toBe('a!~"x\\"y"');
});

const span = (spanID: string, parent: string | null, startTime: number, duration: number, service: string, error = false) => ({
  traceID: "t", spanID, operationName: spanID, startTime, duration, processID: service,
  references: parent ? [{ refType: "CHILD_OF", traceID: "t", spanID: parent }] : [],
  tags: error ? [{ key: "error", type: "bool", value: true }] : [],
});
const trace: Trace = {
  traceID: "t",
  spans: [span("c", "a", 30, 10, "p2", true), span("a", null, 0, 100, "p1"), span("b", "a", 10, 20, "p2"), span("d", "b", 12, 5, "p1"), span("lost", "gone", 50, 5, "p1")],
  processes: { p1: { serviceName: "web" }, p2: { serviceName: "db" } },
};

test("span tree", () => {
  const roots = spanTree(trace);
  expect(visibleSpans(roots, new Set()).map((n) => `${n.depth}${n.span.spanID}`)).toEqual(["0a", "1b", "2d", "1c", "0lost"]);
  expect(visibleSpans(roots, new Set(["b"])).map((n) => n.span.spanID)).toEqual(["a", "b", "c", "lost"]);
  expect(summarize(trace)).toMatchObject({ root: "a", rootService: "web", duration: 100, spans: 5, errors: 1, services: [{ name: "db", count: 2 }, { name: "web", count: 3 }] });
});

test("spans in a circle are shown once each", () => {
  const circle: Trace = { traceID: "t", spans: [span("a", "b", 0, 1, "p1"), span("b", "a", 1, 1, "p1"), span("s", "s", 2, 1, "p1")], processes: {} };
  expect(visibleSpans(spanTree(circle), new Set()).map((n) => n.span.spanID).sort()).toEqual(["a", "b", "s"]);
});

test("tags", () => {
  expect(parseTags('error=true http.url="/a b"')).toEqual({ error: "true", "http.url": "/a b" });
  expect(parseTags("")).toEqual({});
  expect(parseTags("error")).toBeNull();
});
