// The syntax tree of a query as the server's `/parse_query` gives it: its text again, and a short title for each node.

export interface Matcher {
  name: string;
  value: string;
  type: string;
}

interface Timed {
  offset?: number;
  timestamp?: number | null;
  startOrEnd?: string | null;
}

export type Node =
  | { type: "aggregation"; op: string; expr: Node; param: Node | null; grouping: string[]; without: boolean }
  | { type: "binaryExpr"; op: string; lhs: Node; rhs: Node; matching: { card: string; labels: string[]; on: boolean; include: string[] } | null; bool: boolean }
  | { type: "call"; func: { name: string; returnType?: string }; args: Node[] }
  | ({ type: "matrixSelector"; name: string; range: number; matchers: Matcher[] } & Timed)
  | ({ type: "vectorSelector"; name: string; matchers: Matcher[] } & Timed)
  | ({ type: "subquery"; expr: Node; range: number; step: number } & Timed)
  | { type: "numberLiteral"; val: string }
  | { type: "stringLiteral"; val: string }
  | { type: "parenExpr"; expr: Node }
  | { type: "unaryExpr"; op: string; expr: Node }
  | { type: "placeholder"; children: Node[] };

/** Nodes below this one, in the order of the text. */
export function children(node: Node): Node[] {
  switch (node.type) {
    case "aggregation": return node.param ? [node.param, node.expr] : [node.expr];
    case "binaryExpr": return [node.lhs, node.rhs];
    case "call": return node.args;
    case "subquery": case "parenExpr": case "unaryExpr": return [node.expr];
    case "placeholder": return node.children;
    default: return [];
  }
}

const quote = (text: string): string => JSON.stringify(text);
const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const plainLabel = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const label = (name: string): string => (plainLabel.test(name) ? name : quote(name));
const list = (names: string[]): string => names.map(label).join(", ");

function duration(ms: number): string {
  if (ms === 0) return "0s";
  const sign = ms < 0 ? "-" : "";
  let rest = Math.abs(ms);
  let text = "";
  for (const [unit, size] of [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000], ["ms", 1]] as const) {
    if (rest >= size) text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return sign + text;
}

function selector(node: { name: string; matchers: Matcher[] }): string {
  const plain = plainName.test(node.name);
  const rest = node.matchers.filter((m) => !(m.name === "__name__" && m.type === "=" && m.value === node.name)).map((m) => `${label(m.name)}${m.type}${quote(m.value)}`);
  if (node.name && !plain) rest.unshift(quote(node.name));
  return (plain ? node.name : "") + (rest.length > 0 || !plain ? `{${rest.join(", ")}}` : "");
}

function modifiers(node: Timed): string {
  const at = node.startOrEnd ? ` @ ${node.startOrEnd}()` : node.timestamp !== null && node.timestamp !== undefined ? ` @ ${(node.timestamp / 1000).toFixed(3)}` : "";
  return at + (node.offset ? ` offset ${duration(node.offset)}` : "");
}

function matching(node: Extract<Node, { type: "binaryExpr" }>): string {
  const m = node.matching;
  let text = node.bool ? " bool" : "";
  if (m && (m.on || m.labels.length > 0)) text += ` ${m.on ? "on" : "ignoring"} (${list(m.labels)})`;
  if (m?.card === "many-to-one") text += ` group_left (${list(m.include)})`;
  if (m?.card === "one-to-many") text += ` group_right (${list(m.include)})`;
  return text;
}

const grouping = (node: Extract<Node, { type: "aggregation" }>): string => (node.without || node.grouping.length > 0 ? ` ${node.without ? "without" : "by"} (${list(node.grouping)})` : "");

/** The expression in PromQL. */
export function text(node: Node): string {
  switch (node.type) {
    case "aggregation": return `${node.op}${grouping(node)} (${node.param ? `${text(node.param)}, ` : ""}${text(node.expr)})`;
    case "binaryExpr": return `${text(node.lhs)} ${node.op}${matching(node)} ${text(node.rhs)}`;
    case "call": return `${node.func.name}(${node.args.map(text).join(", ")})`;
    case "vectorSelector": return selector(node) + modifiers(node);
    case "matrixSelector": return `${selector(node)}[${duration(node.range)}]${modifiers(node)}`;
    case "subquery": return `${text(node.expr)}[${duration(node.range)}:${node.step ? duration(node.step) : ""}]${modifiers(node)}`;
    case "numberLiteral": return node.val;
    case "stringLiteral": return quote(node.val);
    case "parenExpr": return `(${text(node.expr)})`;
    case "unaryExpr": return `${node.op}${text(node.expr)}`;
    case "placeholder": return node.children.map(text).join(", ");
  }
}

/** What one node does, without what is below it. */
export function title(node: Node): string {
  switch (node.type) {
    case "aggregation": return `${node.op}${grouping(node)}`;
    case "binaryExpr": return `${node.op}${matching(node)}`;
    case "call": return `${node.func.name}()`;
    case "subquery": return `[${duration(node.range)}:${node.step ? duration(node.step) : ""}]${modifiers(node)}`;
    case "parenExpr": return "( )";
    case "unaryExpr": return node.op;
    case "placeholder": return "…";
    default: return text(node);
  }
}

const kinds: Record<Node["type"], string> = {
  aggregation: "aggregation", binaryExpr: "operator", call: "function", matrixSelector: "range selector", vectorSelector: "selector",
  subquery: "subquery", numberLiteral: "number", stringLiteral: "text", parenExpr: "parentheses", unaryExpr: "sign", placeholder: "",
};
export const kind = (node: Node): string => kinds[node.type] ?? "";

/** Whether the node can be evaluated by itself at one moment and gives series to count. */
export const isCountable = (node: Node): boolean => !["numberLiteral", "stringLiteral", "parenExpr", "placeholder"].includes(node.type);
