// Queries that were run before, newest first, kept in this browser.
const KEY = "query-history";
const ENTRIES_MAX = 100;

export function history(): string[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((q): q is string => typeof q === "string") : [];
  } catch {
    return [];
  }
}

export function remember(expr: string): void {
  const text = expr.trim();
  if (!text) return;
  try {
    localStorage.setItem(KEY, JSON.stringify([text, ...history().filter((q) => q !== text)].slice(0, ENTRIES_MAX)));
  } catch {
    // A browser that keeps nothing has no history.
  }
}
