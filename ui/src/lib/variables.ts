// Dashboard variables inside text: `$name`, `${name}`, `${name:format}`, `[[name]]`.
//
// Names that are not dashboard variables are left untouched, so `$__interval` and its relatives travel to the
// server, which knows the scrape interval, and legend templates keep their braces.

export const ALL = "$__all";

export interface VariableValue {
  /** Selected value or values; `ALL` stands for every option. */
  value: string | string[];
  text: string | string[];
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  /** Every option except All, needed to expand All. */
  options?: string[];
}

export type Scope = ReadonlyMap<string, VariableValue>;

/** How a value is written when the template names no format: by the language that will read it. */
export type DefaultFormat = "promql" | "glob" | "text";

const pattern = /\$(\w+)|\$\{(\w+)(?:\.([\w.]+))?(?::([^}]+))?\}|\[\[(\w+)(?::([^\]]+))?\]\]/g;

export function interpolate(template: string, scope: Scope, fallback: DefaultFormat = "glob"): string {
  if (!template.includes("$") && !template.includes("[[")) return template;
  return template.replace(pattern, (whole, bare, braced, _path, format1, square, format2) => {
    const variable = scope.get(bare ?? braced ?? square);
    if (!variable) return whole;
    const format: string | undefined = format1 ?? format2;
    if (format === "text") return [variable.text].flat().join(" + ");
    if (isAll(variable.value) && variable.allValue) return variable.allValue;
    const values = expand(variable);
    return format ? formatAs(format, values, bare ?? braced ?? square) : formatDefault(fallback, values, variable);
  });
}

/** Variable names that a template mentions. */
export function mentioned(template: string): string[] {
  return [...template.matchAll(pattern)].map((m) => m[1] ?? m[2] ?? m[5]!);
}

export function isAll(value: string | string[]): boolean {
  return value === ALL || (Array.isArray(value) && value.includes(ALL));
}

/** The concrete values: All becomes every option. */
export function expand(variable: VariableValue): string[] {
  if (isAll(variable.value)) return variable.options ?? [];
  return [variable.value].flat();
}

function formatDefault(fallback: DefaultFormat, values: string[], variable: VariableValue): string {
  if (fallback === "text") return [variable.text].flat().join(" + ");
  if (fallback === "glob") return formatAs("glob", values, "");
  // A variable that holds one value may hold a piece of a query, so only its backslashes are protected.
  if (!variable.multi && !variable.includeAll) return values[0]?.replace(/\\/g, "\\\\") ?? "";
  const escaped = values.map(promRegexEscape);
  return escaped.length === 1 ? escaped[0]! : `(${escaped.join("|")})`;
}

/** Escapes a value for use inside a quoted PromQL or LogQL regular expression: hence the doubled backslash. */
function promRegexEscape(value: string): string {
  return value.replace(/\\/g, "\\\\\\\\").replace(/[$^*{}[\]'+?.()|]/g, "\\\\$&");
}

function formatAs(format: string, values: string[], name: string): string {
  const [id, ...args] = format.split(":");
  switch (id) {
    case "raw": return values.join(",");
    case "csv": return values.join(",");
    case "pipe": return values.join("|");
    case "regex": {
      const escaped = values.map((v) => v.replace(/[/\\^$*+?.()|[\]{}]/g, "\\$&"));
      return escaped.length === 1 ? escaped[0]! : `(${escaped.join("|")})`;
    }
    case "json": return JSON.stringify(values.length === 1 ? values[0] : values);
    case "singlequote": return values.map((v) => `'${v.replace(/'/g, "\\'")}'`).join(",");
    case "doublequote": return values.map((v) => `"${v.replace(/"/g, '\\"')}"`).join(",");
    case "sqlstring": return values.map((v) => `'${v.replace(/'/g, "''")}'`).join(",");
    case "queryparam": return values.map((v) => `var-${encodeURIComponent(name)}=${encodeURIComponent(v)}`).join("&");
    case "percentencode":
    case "uriencode": return encodeURIComponent(values.length > 1 ? `{${values.join(",")}}` : (values[0] ?? ""));
    case "distributed": return values.map((v, i) => (i === 0 ? v : `${name}=${v}`)).join(",");
    case "lucene": {
      const quoted = values.map((v) => `"${v.replace(/["\\]/g, "\\$&")}"`);
      return quoted.length === 1 ? (values[0] ?? "") : `(${quoted.join(" OR ")})`;
    }
    case "join": return values.join(args.join(":") || ",");
    case "date": return new Date(Number(values[0])).toISOString();
    case "html": return values.join(", ").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
    default: return values.length > 1 ? `{${values.join(",")}}` : (values[0] ?? "");
  }
}
