// A small router over the History API.
//
// Alertmanager keeps its page in the fragment (`/#/silences`), because links to it are in people's notifications;
// every other service uses the path. The rest of the app sees one kind of location.
import { createSignal } from "solid-js";
import { root, service } from "./service";

export interface Location {
  path: string;
  query: URLSearchParams;
}

const inFragment = service === "alertmanager";

function read(): Location {
  if (!inFragment) return { path: withoutRoot(window.location.pathname), query: new URLSearchParams(window.location.search) };
  const [path = "", search = ""] = window.location.hash.replace(/^#/, "").split("?", 2);
  return { path: path || "/", query: new URLSearchParams(search) };
}

function withoutRoot(path: string): string {
  return root && (path === root || path.startsWith(`${root}/`)) ? path.slice(root.length) || "/" : path;
}

const [location, setLocation] = createSignal(read());
export { location };

export function href(path: string): string {
  return inFragment ? `${root}/#${path}` : root + path;
}

export function navigate(path: string, options: { replace?: boolean } = {}): void {
  window.history[options.replace ? "replaceState" : "pushState"](null, "", href(path));
  setLocation(read());
}

/** Replaces the query string of the current page; empty and undefined values are left out. */
export function setQuery(changes: Record<string, string | string[] | undefined>, options: { push?: boolean } = {}): void {
  const query = new URLSearchParams(location().query);
  for (const [key, value] of Object.entries(changes)) {
    query.delete(key);
    for (const v of [value].flat()) if (v !== undefined && v !== "") query.append(key, v);
  }
  const text = query.toString();
  navigate(location().path + (text ? `?${text}` : ""), { replace: !options.push });
}

/** Parameters of a path under a pattern such as `/d/:uid/:slug?`, or null. */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split("/").filter(Boolean);
  const got = path.split("/").filter(Boolean);
  if (got.length > want.length) return null;
  const params: Record<string, string> = {};
  for (let i = 0; i < want.length; i++) {
    const w = want[i]!;
    const g = got[i];
    if (w.startsWith(":")) {
      if (g === undefined) {
        if (!w.endsWith("?")) return null;
      } else params[w.slice(1).replace("?", "")] = safeDecode(g);
    } else if (w !== g) return null;
  }
  return params;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Follows back/forward and turns clicks on plain links into navigation without a page load. */
export function startRouter(): void {
  window.addEventListener("popstate", () => setLocation(read()));
  window.addEventListener("hashchange", () => setLocation(read()));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a");
    if (!link || link.target || link.hasAttribute("download") || link.origin !== window.location.origin) return;
    if (withoutRoot(link.pathname).startsWith("/api/") || link.dataset.external !== undefined) return;
    event.preventDefault();
    const path = inFragment ? link.hash.replace(/^#/, "") || "/" : withoutRoot(link.pathname) + link.search;
    navigate(path);
    window.scrollTo(0, 0);
  });
}
