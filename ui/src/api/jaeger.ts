// The traces API.
import { base } from "./base";
import { getJson, type Params } from "./http";
import type { Trace } from "../lib/trace";

export type { KeyValue, Process, Span, Trace } from "../lib/trace";

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
