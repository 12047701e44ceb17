// What can be said about alerts without asking anybody: how they group, why they are quiet, where to look next.
import type { Alert, AlertGroup } from "../api/alertmanager";
import type { Labels } from "./legend";
import { formatMatcher } from "./matchers";

export interface Section {
  key: string;
  labels: Labels;
  /** Receivers of these alerts; with a grouping of one's own there may be several. */
  receivers: string[];
  alerts: Alert[];
}

/** The routing's own groups, or groups by the labels a person asked for. An alert is listed once a section. */
export function sections(groups: AlertGroup[], by: string[]): Section[] {
  const found = new Map<string, Section>();
  for (const group of groups) {
    for (const alert of group.alerts) {
      const labels = by.length ? Object.fromEntries(by.filter((name) => alert.labels[name]).map((name) => [name, alert.labels[name]!])) : group.labels;
      const key = JSON.stringify([Object.entries(labels).sort(), by.length ? "" : group.receiver.name]);
      const section = found.get(key) ?? { key, labels, receivers: [], alerts: [] };
      if (!section.receivers.includes(group.receiver.name)) section.receivers.push(group.receiver.name);
      if (!section.alerts.some((a) => a.fingerprint === alert.fingerprint)) section.alerts.push(alert);
      found.set(key, section);
    }
  }
  return [...found.values()];
}

/** Worst first, as people read a list. */
export function bySeverity(a: Alert, b: Alert): number {
  const rank = (x: Alert) => ["critical", "error", "warning", "info"].indexOf(x.labels.severity ?? "") >>> 0;
  return rank(a) - rank(b) || a.startsAt.localeCompare(b.startsAt);
}

export type Quiet = { kind: "silence" | "inhibition" | "interval"; by: string };

/** Everything that keeps an alert from being told. */
export function quietReasons(alert: Alert): Quiet[] {
  const of = (kind: Quiet["kind"], by: string[] = []) => by.map((one) => ({ kind, by: one }));
  return [...of("silence", alert.status.silencedBy), ...of("inhibition", alert.status.inhibitedBy), ...of("interval", alert.status.mutedBy)];
}

/** A filter that finds exactly this alert's label set. */
export function exactFilter(labels: Labels): string {
  return `{${Object.entries(labels).map(([name, value]) => formatMatcher({ name, value, isRegex: false, isEqual: true })).join(",")}}`;
}

/** How long before an alert's start it is worth looking, and after it. */
const BEFORE_MS = 30 * 60_000;
const AFTER_MS = 30 * 60_000;

export interface LookAt {
  label: "Graph" | "Logs" | "Traces" | "Runbook" | "Source";
  /** A path of this web app, or a whole address when `external`. */
  to: string;
  external: boolean;
}

/**
 * Where to look next, around the time at which the alert began. `app` is where the pages for metrics, logs and
 * traces are: a prefix ("" on their own port), or null where nobody knows.
 */
export function lookAt(alert: Alert, app: string | null, now = Date.now()): LookAt[] {
  const start = Date.parse(alert.startsAt);
  const from = String(start - BEFORE_MS);
  const to = start + AFTER_MS > now ? "now" : String(start + AFTER_MS);
  const links: LookAt[] = [];
  const expr = generatorExpr(alert.generatorURL);
  if (app !== null) {
    const add = (label: LookAt["label"], path: string, params: Record<string, string>) => links.push({ label, to: `${app}${path}?${new URLSearchParams(params)}`, external: app !== "" });
    if (expr) add("Graph", "/explore", { expr, from, to });
    add("Logs", "/explore", { mode: "logs", expr: logSelector(alert.labels), from, to });
    const service = alert.labels.service ?? alert.labels.service_name;
    add("Traces", "/traces", { ...(service ? { service } : {}), start: from, end: to === "now" ? String(now) : to });
  } else if (alert.generatorURL && isWeb(alert.generatorURL)) links.push({ label: "Graph", to: alert.generatorURL, external: true });
  const runbook = alert.annotations.runbook_url ?? alert.annotations.runbook;
  if (runbook && isWeb(runbook)) links.push({ label: "Runbook", to: runbook, external: true });
  return links;
}

/** The expression behind an alert, out of the link its rule engine gave it. */
export function generatorExpr(url: string | undefined): string | undefined {
  try {
    return new URL(url ?? "").searchParams.get("g0.expr") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Log lines that may belong to these labels: the container's or unit's own, else everything with its service's name. */
export function logSelector(labels: Labels): string {
  for (const [mine, theirs] of [["container", "container"], ["name", "container"], ["unit", "unit"], ["filename", "filename"], ["service", "service_name"], ["service_name", "service_name"]] as const) {
    const value = labels[mine];
    if (value) return `{${theirs}=${JSON.stringify(value)}}`;
  }
  return '{job=~".+"}';
}

/** Only addresses that a browser may follow without danger. */
export function isWeb(text: string): boolean {
  return /^https?:\/\//i.test(text);
}
