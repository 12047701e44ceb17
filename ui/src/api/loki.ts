// The logs API.
import { base } from "./base";
import { getJson, type Params } from "./http";
import type { Labels } from "../lib/legend";

export interface LogLine {
  /** Nanoseconds since the epoch as text: too large for a number. */
  ns: string;
  ms: number;
  line: string;
  labels: Labels;
  level: string;
}

interface StreamsOrMatrix {
  resultType: "streams" | "matrix" | "vector";
  result: { stream?: Labels; metric?: Labels; values: [string | number, string, unknown?][] }[];
}

const root = () => base("logs") + "/loki/api/v1";

export type LogAnswer = { kind: "logs"; lines: LogLine[] } | { kind: "metrics"; series: { metric: Labels; values: [number, string][] }[] };

/** Runs any LogQL over a range; a metric query answers with series, a log query with lines. */
export async function queryLogs(query: string, from: number, to: number, options: { limit?: number; stepMs?: number; direction?: string }, signal?: AbortSignal): Promise<LogAnswer> {
  const params: Params = {
    query,
    start: `${Math.floor(from)}000000`,
    end: `${Math.ceil(to)}000000`,
    limit: options.limit ?? 500,
    direction: options.direction ?? "backward",
    step: options.stepMs ? options.stepMs / 1000 : undefined,
  };
  const { data } = await getJson<{ data: StreamsOrMatrix }>(`${root()}/query_range`, params, signal);
  if (data.resultType !== "streams") return { kind: "metrics", series: data.result.map((s) => ({ metric: s.metric ?? {}, values: s.values as unknown as [number, string][] })) };
  const lines = data.result.flatMap((s) => s.values.map(([ns, line]) => logLine(String(ns), line, s.stream ?? {})));
  const sign = options.direction === "forward" ? 1 : -1;
  lines.sort((a, b) => sign * compareNs(a.ns, b.ns));
  return { kind: "logs", lines };
}

export function logLine(ns: string, line: string, labels: Labels): LogLine {
  return { ns, ms: Number(ns.slice(0, -6)) || 0, line, labels, level: levelOf(labels, line) };
}

function compareNs(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

const levelWords: [RegExp, string][] = [
  [/^(crit|critical|fatal|emerg|alert|panic)/i, "critical"],
  [/^(err|error|eror)/i, "error"],
  [/^(warn|wrn)/i, "warn"],
  [/^(info|inf|notice|information)/i, "info"],
  [/^(debug|dbg)/i, "debug"],
  [/^(trace|trc)/i, "trace"],
];

export function normalLevel(text: string): string {
  return levelWords.find(([re]) => re.test(text))?.[1] ?? "unknown";
}

/** The level that the store detected, else a label, else a word near the start of the line. */
export function levelOf(labels: Labels, line: string): string {
  for (const key of ["detected_level", "level", "severity", "lvl"]) {
    const value = labels[key];
    if (value && value !== "unknown") return normalLevel(value);
  }
  const word = /\b(?:level|lvl|severity)["']?\s*[=:]\s*["']?(\w+)|\b(CRITICAL|FATAL|PANIC|ERROR|WARN(?:ING)?|INFO|DEBUG|TRACE)\b|\[(error|warn|info|debug|crit)\w*\]/.exec(line.slice(0, 300));
  return word ? normalLevel(word[1] ?? word[2] ?? word[3] ?? "") : "unknown";
}

export const labels = (params: Params = {}) => getJson<{ data?: string[] }>(`${root()}/labels`, params).then((r) => r.data ?? []);
export const labelValues = (name: string, params: Params = {}) => getJson<{ data?: string[] }>(`${root()}/label/${encodeURIComponent(name)}/values`, params).then((r) => r.data ?? []);

interface TailFrame {
  streams?: { stream: Labels; values: [string, string][] }[];
  dropped_entries?: unknown[] | null;
}

/** Follows a query live. Returns the function that stops it. */
export function tail(query: string, onLines: (lines: LogLine[], dropped: number) => void, onEnd: (reason: string) => void): () => void {
  const url = new URL(`${root()}/tail`, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("query", query);
  url.searchParams.set("limit", "100");
  const socket = new WebSocket(url);
  let stopped = false;
  let opened = false;
  socket.onopen = () => (opened = true);
  socket.onmessage = (event) => {
    let frame: TailFrame;
    try {
      frame = JSON.parse(String(event.data));
    } catch {
      return;
    }
    const lines = (frame.streams ?? []).flatMap((s) => s.values.map(([ns, line]) => logLine(ns, line, s.stream)));
    lines.sort((a, b) => -compareNs(a.ns, b.ns));
    onLines(lines, frame.dropped_entries?.length ?? 0);
  };
  socket.onclose = (event) => {
    if (!stopped) onEnd(event.reason || (opened ? "The live connection was closed by the server." : "Live tail cannot be reached from here."));
  };
  return () => {
    stopped = true;
    socket.close();
  };
}
