// Labels as people type them to try a route: `severity=critical, team="ai"`.
import type { RouteNode } from "../api/alertmanager";
import { parseMatchers } from "./matchers";

/** Reads a label set; null when a part is no `name=value`. */
export function parseLabels(text: string): Record<string, string> | null {
  const parts = parseMatchers(text.trim().replace(/\s+(?=[\p{L}_][\p{L}\p{N}_.]*\s*=)/gu, ",").replace(/,+/g, ","));
  if (!parts || parts.some((m) => m.isRegex || m.isEqual === false)) return null;
  return Object.fromEntries(parts.map((m) => [m.name, m.value]));
}

/** Timing of a route that differs from its parent's, in the configuration's words. */
export function timing(node: RouteNode, parent?: RouteNode): string[] {
  const keys = [["group_wait", "groupWait"], ["group_interval", "groupInterval"], ["repeat_interval", "repeatInterval"]] as const;
  return keys.filter(([, k]) => !parent || parent[k] !== node[k]).map(([name, k]) => `${name} ${node[k]}`);
}

/** All routes from the root to the given ones: what is drawn as the way of an alert. */
export function onTheWay(root: RouteNode, matched: string[]): Set<string> {
  const found = new Set<string>();
  const walk = (node: RouteNode): boolean => {
    const below = node.routes.map(walk).some(Boolean);
    const here = below || matched.includes(node.id);
    if (here) found.add(node.id);
    return here;
  };
  walk(root);
  return found;
}
