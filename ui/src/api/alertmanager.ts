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
/** What the original has no interface for: history, routes, receivers at work. */
const own = () => base("alerts") + "/api/cloudos/v1";

export const alertGroups = (params: Params = {}) => getJson<AlertGroup[]>(`${root()}/alerts/groups`, params);
export const alerts = (params: Params = {}) => getJson<Alert[]>(`${root()}/alerts`, params);
export const receivers = () => getJson<{ name: string }[]>(`${root()}/receivers`);
export const silence = (id: string) => getJson<Silence>(`${root()}/silence/${encodeURIComponent(id)}`);
export const silences = (filter: string[] = []) => getJson<Silence[]>(`${root()}/silences`, { filter });
export const createSilence = (s: Omit<Silence, "id" | "status"> & { id?: string }) => postJson<{ silenceID: string }>(`${root()}/silences`, s);
export const expireSilence = (id: string) => request(`${root()}/silence/${encodeURIComponent(id)}`, { method: "DELETE" });

export interface AmStatus {
  cluster: { status: string; name?: string; peers?: { name: string; address: string }[] };
  versionInfo: Record<string, string>;
  config: { original: string };
  uptime: string;
}

export const status = () => getJson<AmStatus>(`${root()}/status`);

/** One notification that was tried: what was said, and what came back. */
export interface SentNotification {
  id: number;
  at: string;
  receiver: string;
  integration: string;
  groupKey: string;
  groupLabels: Labels;
  reason: string;
  status: "sent" | "failed" | "retrying";
  attempts: number;
  durationMs: number;
  firing: number;
  resolved: number;
  rendered: string;
  answer: string;
  error: string;
}

export const notifications = (params: { limit?: number; receiver?: string; groupKey?: string } = {}) => getJson<SentNotification[]>(`${own()}/notifications`, params);

export interface ReceiverAtWork {
  name: string;
  integrations: { kind: string; index: number; sendResolved: boolean; lastAttempt?: string | null; lastDurationMs?: number | null; lastError?: string | null }[];
}

export const receiversAtWork = () => getJson<ReceiverAtWork[]>(`${own()}/receivers`);

export interface RouteNode {
  id: string;
  receiver: string;
  matchers: string[];
  continue: boolean;
  groupBy: string[];
  groupWait: string;
  groupInterval: string;
  repeatInterval: string;
  muteTimeIntervals: string[];
  activeTimeIntervals: string[];
  labels: Labels;
  routes: RouteNode[];
}

export const routeTree = () => getJson<RouteNode>(`${own()}/routes`);
export const testRoute = (labels: Labels) => getJson<{ matched: string[]; receivers: string[] }>(`${own()}/routes/test`, { label: Object.entries(labels).map(([k, v]) => `${k}=${v}`) });
