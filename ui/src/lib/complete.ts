// Completion for query text: which word the cursor is in, what it can become.

export interface CompletionContext {
  kind: "metric" | "label" | "value";
  /** What has been typed of the word. */
  prefix: string;
  /** Where the word begins. */
  start: number;
  /** For values: the label they belong to. */
  label?: string;
  /** The metric in front of the braces, when there is one. */
  metric?: string;
}

/** Looks back from the cursor to tell metric names, label names and label values apart. */
export function completionAt(text: string, cursor: number): CompletionContext | null {
  const before = text.slice(0, cursor);
  const open = unclosedBrace(before);
  if (open >= 0) {
    const inside = before.slice(open + 1);
    const metric = /([a-zA-Z_:][\w:]*)\s*$/.exec(before.slice(0, open))?.[1];
    const value = /([a-zA-Z_][\w.]*)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)$/.exec(inside);
    if (value) return { kind: "value", label: value[1], prefix: value[2]!, start: cursor - value[2]!.length, metric };
    const name = /(?:^|,)\s*([a-zA-Z_][\w.]*)?$/.exec(inside);
    if (name) return { kind: "label", prefix: name[1] ?? "", start: cursor - (name[1] ?? "").length, metric };
    return null;
  }
  if (inString(before)) return null;
  const by = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(\s*(?:[\w.]+\s*,\s*)*([a-zA-Z_][\w.]*)?$/.exec(before);
  if (by) return { kind: "label", prefix: by[1] ?? "", start: cursor - (by[1] ?? "").length };
  if (/\[[^\]]*$/.test(before)) return null;
  const word = /[a-zA-Z_:][\w:]*$/.exec(before)?.[0] ?? "";
  return { kind: "metric", prefix: word, start: cursor - word.length };
}

function unclosedBrace(text: string): number {
  let open = -1;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quote) {
      if (c === "\\") i++;
      else if (c === quote) quote = "";
    } else if (c === '"' || c === "'" || c === "`") quote = c;
    else if (c === "{") open = i;
    else if (c === "}") open = -1;
  }
  return open;
}

function inString(text: string): boolean {
  return (text.replace(/\\./g, "").match(/"/g)?.length ?? 0) % 2 === 1;
}

/** Best matches first: those that begin with the text, then those that contain all its parts in order. */
export function rank(candidates: readonly string[], prefix: string, limit: number): string[] {
  if (prefix === "") return candidates.slice(0, limit);
  const needle = prefix.toLowerCase();
  const starts: string[] = [];
  const contains: string[] = [];
  const loose: string[] = [];
  const parts = needle.split(/[_:]/).filter(Boolean);
  for (const c of candidates) {
    const text = c.toLowerCase();
    if (text.startsWith(needle)) starts.push(c);
    else if (text.includes(needle)) contains.push(c);
    else if (parts.length > 1 && inOrder(text, parts)) loose.push(c);
  }
  return [...starts, ...contains, ...loose].slice(0, limit);
}

function inOrder(text: string, parts: string[]): boolean {
  let at = 0;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}
