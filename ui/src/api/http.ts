// fetch with the errors of all five services turned into one kind.
import { service } from "../app/service";
import { location, navigate } from "../app/router";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch (e) {
    if (isAbort(e)) throw e;
    throw new ApiError(0, "The server cannot be reached. It may be restarting.");
  }
  if (response.ok) return response;
  const message = errorText(await response.text().catch(() => ""), response);
  if (response.status === 401 && service === "grafana") askForLogin();
  throw new ApiError(response.status, message);
}

export async function getJson<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  const response = await request(params ? `${path}?${encode(params)}` : path, { signal, headers: { Accept: "application/json" } });
  return readJson<T>(response);
}

export async function postForm<T>(path: string, params: Params, signal?: AbortSignal): Promise<T> {
  return readJson<T>(await request(path, { method: "POST", body: encode(params), signal }));
}

export async function postJson<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const init = { method: "POST", body: JSON.stringify(body), signal, headers: { "Content-Type": "application/json", Accept: "application/json" } };
  return readJson<T>(await request(path, init));
}

async function readJson<T>(response: Response): Promise<T> {
  const text = await response.text();
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(response.status, `The answer of ${new URL(response.url).pathname} is not JSON: ${text.slice(0, 120)}`);
  }
}

export type Params = Record<string, string | number | boolean | string[] | undefined>;

export function encode(params: Params): URLSearchParams {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) for (const v of [value].flat()) if (v !== undefined && v !== "") out.append(key, String(v));
  return out;
}

export const isAbort = (e: unknown): boolean => e instanceof DOMException && e.name === "AbortError";

export function messageOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}

/** The sentence inside an error body, whichever service wrote it. */
function errorText(body: string, response: Response): string {
  try {
    const json = JSON.parse(body);
    const text = typeof json === "string" ? json : (json.error ?? json.message ?? json.errors?.[0]?.msg ?? json.errors?.[0]);
    if (typeof text === "string" && text) return text;
  } catch {
    // Not JSON: the text itself is the message.
  }
  const plain = body.trim();
  return plain && plain.length < 2000 && !plain.startsWith("<") ? plain : `${response.status} ${response.statusText}`.trim();
}

function askForLogin(): void {
  const { path, query } = location();
  if (path === "/login") return;
  const back = path + (query.size ? `?${query}` : "");
  navigate(`/login?redirectTo=${encodeURIComponent(back)}`, { replace: true });
}
