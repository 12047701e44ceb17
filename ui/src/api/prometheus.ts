// The metrics API.
import { base } from "./base";
import { getJson, postForm, type Params } from "./http";
import type { Node } from "../lib/ast";
import type { Labels } from "../lib/legend";

export interface Envelope<T> {
  status: string;
  data: T;
  warnings?: string[];
  infos?: string[];
}

/** A native histogram; a bucket is its boundary rule (0 open left, 1 open right, 2 open both, 3 closed both), bounds, count. */
export interface Histogram {
  count: string;
  sum: string;
  buckets?: [rule: number, low: string, high: string, count: string][];
}

export interface MatrixSeries {
  metric: Labels;
  values?: [number, string][];
  histograms?: [number, Histogram][];
}

export interface VectorSample {
  metric: Labels;
  value?: [number, string];
  histogram?: [number, Histogram];
}

export type QueryData =
  | { resultType: "matrix"; result: MatrixSeries[] }
  | { resultType: "vector"; result: VectorSample[] }
  | { resultType: "scalar" | "string"; result: [number, string] };

export interface QueryStatistics {
  timings?: Record<string, number>;
  samples?: { totalQueryableSamples?: number; peakSamples?: number; samplesRead?: number };
}

export interface Answer<T> {
  data: T & { stats?: QueryStatistics };
  notes: string[];
}

const root = () => base("metrics") + "/api/v1";

async function get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return (await getJson<Envelope<T>>(root() + path, params, signal)).data;
}

export async function queryRange(query: string, from: number, to: number, stepMs: number, signal?: AbortSignal): Promise<Answer<QueryData>> {
  const params = { query, start: from / 1000, end: to / 1000, step: stepMs / 1000, stats: "true" };
  return withNotes(await postForm<Envelope<QueryData>>(`${root()}/query_range`, params, signal));
}

export async function queryInstant(query: string, at?: number, signal?: AbortSignal): Promise<Answer<QueryData>> {
  return withNotes(await postForm<Envelope<QueryData>>(`${root()}/query`, { query, time: at === undefined ? undefined : at / 1000, stats: "true" }, signal));
}

const withNotes = (e: Envelope<QueryData>): Answer<QueryData> => ({ data: e.data, notes: [...(e.warnings ?? []), ...(e.infos ?? [])] });

/** Vector as rows of labels and a number, whatever the expression's type. */
export async function instantVector(query: string, at?: number, signal?: AbortSignal): Promise<{ metric: Labels; value: number }[]> {
  const { data } = await queryInstant(query, at, signal);
  if (data.resultType === "vector") return data.result.filter((s) => s.value).map((s) => ({ metric: s.metric, value: parseSample(s.value![1]) }));
  if (data.resultType === "scalar") return [{ metric: {}, value: parseSample(data.result[1]) }];
  return [];
}

export function parseSample(text: string): number {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}

export const parseQuery = (query: string) => get<Node>("/parse_query", { query });
export const formatQuery = (query: string) => get<string>("/format_query", { query });

export interface ExemplarSeries {
  seriesLabels: Labels;
  exemplars: { labels: Labels; value: string; timestamp: number }[];
}

export const exemplars = (query: string, from: number, to: number) => get<ExemplarSeries[]>("/query_exemplars", { query, start: from / 1000, end: to / 1000 });

export const labelNames = (params: Params = {}) => get<string[]>("/labels", params);
export const labelValues = (label: string, params: Params = {}) => get<string[]>(`/label/${encodeURIComponent(label)}/values`, params);
export const series = (matchers: string[], params: Params = {}) => get<Labels[]>("/series", { "match[]": matchers, ...params });
export const metadata = () => get<Record<string, { type: string; help: string; unit: string }[]>>("/metadata");

export interface Target {
  discoveredLabels: Labels;
  labels: Labels;
  scrapePool: string;
  scrapeUrl: string;
  globalUrl: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: "up" | "down" | "unknown";
  scrapeInterval?: string;
  scrapeTimeout?: string;
}

export interface DroppedTarget {
  discoveredLabels: Labels;
  scrapePool: string;
}

export interface Targets {
  activeTargets: Target[];
  droppedTargets?: DroppedTarget[];
  droppedTargetCounts?: Record<string, number>;
}

export const targets = () => get<Targets>("/targets", { state: "active" });
export const allTargets = () => get<Targets>("/targets", { state: "any" });

/** One relabelling rule and what it made of the labels; `keep` is false where the target was dropped. */
export interface RelabelStep {
  rule: Record<string, unknown>;
  output: Labels;
  keep: boolean;
}

export const relabelSteps = (scrapePool: string, labels: Labels) => get<{ steps: RelabelStep[] }>("/targets/relabel_steps", { scrapePool, labels: JSON.stringify(labels) });

export interface RuleAlert {
  labels: Labels;
  annotations: Labels;
  state: "pending" | "firing" | "inactive";
  activeAt?: string;
  value: string;
}

export interface Rule {
  type: "alerting" | "recording";
  name: string;
  query: string;
  duration?: number;
  keepFiringFor?: number;
  labels?: Labels;
  annotations?: Labels;
  alerts?: RuleAlert[];
  health: string;
  lastError?: string;
  evaluationTime?: number;
  lastEvaluation?: string;
  state?: "firing" | "pending" | "inactive" | "unknown";
}

export interface RuleGroup {
  name: string;
  file: string;
  rules: Rule[];
  interval: number;
  evaluationTime?: number;
  lastEvaluation?: string;
}

export const rules = () => get<{ groups: RuleGroup[] }>("/rules");

export const buildInfo = () => get<Record<string, string>>("/status/buildinfo");
export const runtimeInfo = () => get<Record<string, string | number | boolean>>("/status/runtimeinfo");
export const flags = () => get<Record<string, string>>("/status/flags");
export const config = () => get<{ yaml: string }>("/status/config");

export interface TsdbStatus {
  headStats?: { numSeries: number; numLabelPairs?: number; chunkCount?: number; minTime?: number; maxTime?: number };
  seriesCountByMetricName?: { name: string; value: number }[];
  labelValueCountByLabelName?: { name: string; value: number }[];
  memoryInBytesByLabelName?: { name: string; value: number }[];
  seriesCountByLabelValuePair?: { name: string; value: number }[];
}

export const tsdbStatus = (limit?: number) => get<TsdbStatus>("/status/tsdb", { limit });

export interface Block {
  ulid: string;
  minTime: number;
  maxTime: number;
  stats?: { numSamples?: number; numSeries?: number; numChunks?: number; numBytes?: number };
  compaction?: { level?: number };
}

export const blocks = () => get<{ blocks: Block[] | null }>("/status/tsdb/blocks");

export interface ActiveQuery {
  id: string;
  query: string;
  /** As the server prints it, such as `0.103s`. */
  duration: string;
  remote_addr?: string;
  start: number;
  end: number;
  step: number;
}

export const activeQueries = () => get<ActiveQuery[]>("/status/active_queries");
export const cancelQuery = (id: string) => postForm<Envelope<unknown>>(`${root()}/status/active_queries/cancel`, { id });

export interface TopQuery {
  query: string;
  timeRangeSeconds: number;
  count: number;
  avgDurationSeconds?: number;
  sumDurationSeconds?: number;
}

export interface TopQueries {
  topByCount: TopQuery[];
  topByAvgDuration: TopQuery[];
  topBySumDuration: TopQuery[];
}

export const topQueries = (topN = 20) => getJson<TopQueries>(`${root()}/status/top_queries`, { topN });

export interface Notification {
  text: string;
  date: string;
  active: boolean;
}

export const notifications = () => get<Notification[]>("/notifications");
