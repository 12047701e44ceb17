// The alerts and silences API (v2).
import { base } from "./base";
import { getJson, postJson, request, type Params } from "./http";
import type { Labels } from "../lib/legend";
import type { Matcher } from "../lib/matchers";

export interface Alert {
  fingerprint: string;
  labels: Labels;
  annotations: Labels;
  startsAt: string;
  endsAt: string;
  updatedAt: string;
  generatorURL?: string;
  receivers?: { name: string }[];
  status: { state: "active" | "suppressed" | "unprocessed"; silencedBy: string[]; inhibitedBy: string[]; mutedBy?: string[] };
}

export interface AlertGroup {
  labels: Labels;
  receiver: { name: string };
  alerts: Alert[];
}

export interface Silence {
  id: string;
  matchers: Matcher[];
  startsAt: string;
  endsAt: string;
  updatedAt?: string;
  createdBy: string;
  comment: string;
  status?: { state: "active" | "pending" | "expired" };
}

const root = () => base("alerts") + "/api/v2";

export const alertGroups = (params: Params = {}) => getJson<AlertGroup[]>(`${root()}/alerts/groups`, params);
export const alerts = (params: Params = {}) => getJson<Alert[]>(`${root()}/alerts`, params);
export const silences = () => getJson<Silence[]>(`${root()}/silences`);
export const createSilence = (s: Omit<Silence, "id" | "status"> & { id?: string }) => postJson<{ silenceID: string }>(`${root()}/silences`, s);
export const expireSilence = (id: string) => request(`${root()}/silence/${encodeURIComponent(id)}`, { method: "DELETE" });

export interface AmStatus {
  cluster: { status: string; name?: string; peers?: { name: string; address: string }[] };
  versionInfo: Record<string, string>;
  config: { original: string };
  uptime: string;
}

export const status = () => getJson<AmStatus>(`${root()}/status`);
