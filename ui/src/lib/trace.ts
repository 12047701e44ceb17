// A trace as a tree of spans, in the order in which the timeline draws them.

export interface KeyValue {
  key: string;
  type?: string;
  value: unknown;
}

export interface Span {
  traceID: string;
  spanID: string;
  parentSpanID?: string;
  operationName: string;
  references?: { refType: string; traceID: string; spanID: string }[];
  startTime: number;
  duration: number;
  tags?: KeyValue[];
  logs?: { timestamp: number; fields: KeyValue[] }[];
  processID?: string;
  process?: Process;
  warnings?: string[] | null;
}

export interface Process {
  serviceName: string;
  tags?: KeyValue[];
}

export interface Trace {
  traceID: string;
  spans: Span[];
  processes: Record<string, Process>;
  warnings?: string[] | null;
}

export const serviceOf = (trace: Trace, span: Span): string => span.process?.serviceName ?? trace.processes[span.processID ?? ""]?.serviceName ?? "unknown";

export const isError = (span: Span): boolean => (span.tags ?? []).some((t) => t.key === "error" && (t.value === true || t.value === "true"));

export interface SpanNode {
  span: Span;
  service: string;
  depth: number;
  children: SpanNode[];
  error: boolean;
}

export interface TraceSummary {
  id: string;
  root: string;
  rootService: string;
  start: number;
  duration: number;
  spans: number;
  errors: number;
  services: { name: string; count: number }[];
}

/** Roots in order of start. A span whose parent is missing is a root; circles are cut where they close. */
export function spanTree(trace: Trace): SpanNode[] {
  const nodes = new Map<string, SpanNode>();
  for (const span of trace.spans) nodes.set(span.spanID, { span, service: serviceOf(trace, span), depth: 0, children: [], error: isError(span) });
  const roots: SpanNode[] = [];
  for (const node of nodes.values()) {
    const parent = nodes.get(parentOf(node.span) ?? "");
    if (parent && parent !== node && !leadsTo(parent, node, nodes)) parent.children.push(node);
    else roots.push(node);
  }
  const byStart = (a: SpanNode, b: SpanNode) => a.span.startTime - b.span.startTime || b.span.duration - a.span.duration;
  const settle = (list: SpanNode[], depth: number) => {
    list.sort(byStart);
    for (const n of list) {
      n.depth = depth;
      settle(n.children, depth + 1);
    }
  };
  settle(roots, 0);
  return roots;
}

function parentOf(span: Span): string | undefined {
  const own = (span.references ?? []).filter((r) => r.traceID === span.traceID);
  return (own.find((r) => r.refType === "CHILD_OF") ?? own[0])?.spanID ?? (span.parentSpanID || undefined);
}

function leadsTo(from: SpanNode, to: SpanNode, nodes: Map<string, SpanNode>): boolean {
  const seen = new Set<SpanNode>();
  for (let n: SpanNode | undefined = from; n && !seen.has(n); n = nodes.get(parentOf(n.span) ?? "")) {
    if (n === to) return true;
    seen.add(n);
  }
  return false;
}

/** Rows of the timeline, without the children of collapsed spans. */
export function visibleSpans(roots: SpanNode[], collapsed: ReadonlySet<string>): SpanNode[] {
  const out: SpanNode[] = [];
  const walk = (list: SpanNode[]) => {
    for (const n of list) {
      out.push(n);
      if (!collapsed.has(n.span.spanID)) walk(n.children);
    }
  };
  walk(roots);
  return out;
}

export function summarize(trace: Trace): TraceSummary {
  const roots = spanTree(trace);
  const start = Math.min(...trace.spans.map((s) => s.startTime));
  const end = Math.max(...trace.spans.map((s) => s.startTime + s.duration));
  const counts = new Map<string, number>();
  for (const s of trace.spans) counts.set(serviceOf(trace, s), (counts.get(serviceOf(trace, s)) ?? 0) + 1);
  return {
    id: trace.traceID,
    root: roots[0]?.span.operationName ?? "(no spans)",
    rootService: roots[0]?.service ?? "unknown",
    start: Number.isFinite(start) ? start : 0,
    duration: Number.isFinite(end - start) ? end - start : 0,
    spans: trace.spans.length,
    errors: trace.spans.filter(isError).length,
    services: [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => a.name.localeCompare(b.name)),
  };
}

/** `error=true http.status_code=500 msg="not found"` as the JSON object that the search wants. */
export function parseTags(text: string): Record<string, string> | null {
  const out: Record<string, string> = {};
  let rest = text.trim();
  while (rest !== "") {
    const m = /^([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))\s*/.exec(rest);
    if (!m) return null;
    out[m[1]!] = m[2] !== undefined ? m[2].replace(/\\(["\\])/g, "$1") : m[3]!;
    rest = rest.slice(m[0].length);
  }
  return out;
}
