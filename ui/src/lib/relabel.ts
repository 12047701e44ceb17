// Relabelling rules as one line of text, and what a rule changed.
import type { Labels } from "./legend";

export interface LabelChange {
  name: string;
  kind: "added" | "changed" | "removed";
  before?: string;
  after?: string;
}

/** Labels that differ between two sets, by name. */
export function labelChanges(before: Labels, after: Labels): LabelChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name): LabelChange[] => {
    const [old, now] = [before[name], after[name]];
    if (old === now) return [];
    if (old === undefined) return [{ name, kind: "added", after: now }];
    return now === undefined ? [{ name, kind: "removed", before: old }] : [{ name, kind: "changed", before: old, after: now }];
  });
}

const defaults: Record<string, unknown> = { separator: ";", regex: "(.*)", replacement: "$1", modulus: 0, action: "replace", target_label: "" };

/** `replace  source_labels=[a, b]  regex=(.+)  target_label=c`: what is not said otherwise is left out. */
export function ruleText(rule: Record<string, unknown>): string {
  const parts = [String(rule.action ?? "replace")];
  for (const [key, value] of Object.entries(rule)) {
    if (key === "action" || value === null || value === undefined || value === defaults[key]) continue;
    if (Array.isArray(value)) {
      if (value.length > 0) parts.push(`${key}=[${value.join(", ")}]`);
    } else parts.push(`${key}=${String(value)}`);
  }
  return parts.join("  ");
}
