// The traces API.
import { base } from "./base";
import { getJson, type Params } from "./http";

export interface KeyValue {
  key: string;
  type?: string;
  value: unknown;
}

export interface Span {
  traceID: string;
  spanID: string;
  parentSpanID?: string;
  operationName: string;
  references?: { refType: string; traceID: string; spanID: string }[];
  startTime: number;
  duration: number;
  tags?: KeyValue[];
  logs?: { timestamp: number; fields: KeyValue[] }[];
  processID?: string;
  process?: Process;
  warnings?: string[] | null;
}

export interface Process {
  serviceName: string;
  tags?: KeyValue[];
}

export interface Trace {
  traceID: string;
  spans: Span[];
  processes: Record<string, Process>;
  warnings?: string[] | null;
}

interface Envelope<T> {
  data: T | null;
  errors?: { msg: string }[] | null;
}

const root = () => base("traces") + "/api";

async function get<T>(path: string, empty: T, params?: Params): Promise<T> {
  return (await getJson<Envelope<T>>(root() + path, params)).data ?? empty;
}

export const services = () => get<string[]>("/services", []).then((s) => [...s].sort());
export const operations = (service: string) => get<{ name: string; spanKind: string }[]>("/operations", [], { service }).then((o) => [...new Set(o.map((x) => x.name))].sort());
export const searchTraces = (params: Params) => get<Trace[]>("/traces", [], params);
export const trace = (id: string) => get<Trace[]>(`/traces/${encodeURIComponent(id)}`, []).then((t) => t[0]);

export const serviceOf = (trace: Trace, span: Span): string => span.process?.serviceName ?? trace.processes[span.processID ?? ""]?.serviceName ?? "unknown";

export const isError = (span: Span): boolean => (span.tags ?? []).some((t) => t.key === "error" && (t.value === true || t.value === "true"));
