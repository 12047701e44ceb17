// Label matchers as people write them: `severity="critical"`, `instance=~"web.*"`, with or without quotes and braces.

export interface Matcher {
  name: string;
  value: string;
  isRegex: boolean;
  isEqual?: boolean;
}

/** Reads a list separated by commas; null when a part is no matcher. */
export function parseMatchers(text: string): Matcher[] | null {
  let rest = text.trim().replace(/^\{/, "").replace(/\}$/, "").trim();
  const out: Matcher[] = [];
  while (rest !== "") {
    const m = /^([a-zA-Z_][\w.]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]*))\s*(?:,\s*|$)/.exec(rest);
    if (!m) return null;
    out.push({ name: m[1]!, value: m[3] !== undefined ? m[3].replace(/\\(["\\])/g, "$1") : m[4]!, isRegex: m[2]!.endsWith("~"), isEqual: !m[2]!.startsWith("!") });
    rest = rest.slice(m[0].length);
  }
  return out;
}

export const operators = ["=", "!=", "=~", "!~"] as const;

export function operatorOf(m: Matcher): (typeof operators)[number] {
  return operators[(m.isEqual === false ? 1 : 0) + (m.isRegex ? 2 : 0)]!;
}

export function formatMatcher(m: Matcher): string {
  return `${m.name}${operatorOf(m)}${JSON.stringify(m.value)}`;
}
