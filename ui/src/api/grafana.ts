// The dashboards API.
import { getJson, postJson, request } from "./http";

export interface User {
  login: string;
  name?: string;
  email?: string;
  isGrafanaAdmin?: boolean;
}

export interface SearchHit {
  uid: string;
  title: string;
  url: string;
  type: string;
  tags: string[];
  folderTitle?: string;
}

export interface Datasource {
  uid: string;
  name: string;
  type: string;
  isDefault?: boolean;
}

export const login = (user: string, password: string) => postJson<{ message: string; redirectUrl?: string }>("/login", { user, password });
export const logout = () => request("/logout");
export const user = () => getJson<User>("/api/user");
export const searchDashboards = (query = "") => getJson<SearchHit[]>("/api/search", { query, type: "dash-db" });
export const dashboard = (uid: string) => getJson<{ meta: any; dashboard: any }>(`/api/dashboards/uid/${encodeURIComponent(uid)}`);

let known: Promise<Datasource[]> | undefined;

/** Data sources change rarely; one request a page load is enough. A failure is not remembered. */
export function datasources(): Promise<Datasource[]> {
  known ??= getJson<Datasource[]>("/api/datasources").catch((e) => {
    known = undefined;
    throw e;
  });
  return known;
}

export interface QueryRequest {
  from: string;
  to: string;
  queries: Record<string, unknown>[];
}

export interface QueryResult {
  status?: number;
  error?: string;
  errorSource?: string;
  frames?: any[];
}

/** Runs many queries at once. A failing query has its own `error`; the whole request fails only for the whole. */
export async function dsQuery(body: QueryRequest, signal?: AbortSignal): Promise<Record<string, QueryResult>> {
  // With an error in any one result the status is 400 or 207 and the body still carries all the results.
  const response = await fetch("/api/ds/query", {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  const text = await response.clone().text();
  try {
    const json = JSON.parse(text);
    if (json && typeof json.results === "object") return json.results;
  } catch {
    // Falls through to the common error path below.
  }
  if (response.ok) throw new Error("The answer of /api/ds/query has no results.");
  return raise(response.status, text);
}

async function raise(status: number, body: string): Promise<never> {
  if (status === 401) await request("/api/user"); // Takes the common way to the login page.
  let message = body.trim().slice(0, 500) || `The query request failed with status ${status}.`;
  try {
    message = JSON.parse(body).message ?? message;
  } catch {
    // Plain text is fine as it is.
  }
  throw new Error(message);
}
