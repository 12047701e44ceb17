// The metrics API.
import { base } from "./base";
import { getJson, postForm, type Params } from "./http";
import type { Labels } from "../lib/legend";

export interface Envelope<T> {
  status: string;
  data: T;
  warnings?: string[];
  infos?: string[];
}

export interface MatrixSeries {
  metric: Labels;
  values?: [number, string][];
  histograms?: [number, unknown][];
}

export interface VectorSample {
  metric: Labels;
  value?: [number, string];
  histogram?: [number, unknown];
}

export type QueryData =
  | { resultType: "matrix"; result: MatrixSeries[] }
  | { resultType: "vector"; result: VectorSample[] }
  | { resultType: "scalar" | "string"; result: [number, string] };

export interface Answer<T> {
  data: T;
  notes: string[];
}

const root = () => base("metrics") + "/api/v1";

async function get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return (await getJson<Envelope<T>>(root() + path, params, signal)).data;
}

export async function queryRange(query: string, from: number, to: number, stepMs: number, signal?: AbortSignal): Promise<Answer<QueryData>> {
  const params = { query, start: from / 1000, end: to / 1000, step: stepMs / 1000 };
  return withNotes(await postForm<Envelope<QueryData>>(`${root()}/query_range`, params, signal));
}

export async function queryInstant(query: string, at?: number, signal?: AbortSignal): Promise<Answer<QueryData>> {
  return withNotes(await postForm<Envelope<QueryData>>(`${root()}/query`, { query, time: at === undefined ? undefined : at / 1000 }, signal));
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

export const targets = () => get<{ activeTargets: Target[]; droppedTargets?: unknown[]; droppedTargetCounts?: Record<string, number> }>("/targets", { state: "active" });

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

export const tsdbStatus = () => get<TsdbStatus>("/status/tsdb");
