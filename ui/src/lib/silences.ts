// Silences as people handle them: what one would mute, what is wrong with a draft, how long it lasts.
import type { Alert, Silence } from "../api/alertmanager";
import type { Matcher } from "./matchers";

/** What a person is writing; times as the browser's own date fields have them (local, without zone). */
export interface Draft {
  id?: string;
  matchers: Matcher[];
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
}

/** Whether a matcher accepts a value; a label that is missing counts as empty. */
export function matches(m: Matcher, value: string): boolean {
  const equal = m.isEqual !== false;
  if (!m.isRegex) return (value === m.value) === equal;
  try {
    return new RegExp(`^(?:${m.value})$`, "s").test(value) === equal;
  } catch {
    return false;
  }
}

/** The alerts that a silence with these matchers would mute now. */
export function affected(matchers: Matcher[], alerts: Alert[]): Alert[] {
  if (matchers.length === 0) return [];
  return alerts.filter((a) => matchers.every((m) => matches(m, a.labels[m.name] ?? "")));
}

/** What has to be mended before a draft can be sent, in a person's words. */
export function draftProblem(d: Draft): string | undefined {
  if (d.matchers.length === 0) return 'Add at least one matcher, such as alertname="HighCPUUsage".';
  const nameless = d.matchers.findIndex((m) => m.name.trim() === "");
  if (nameless >= 0) return `Matcher ${nameless + 1} has no label name.`;
  for (const m of d.matchers) {
    if (!m.isRegex) continue;
    try {
      new RegExp(`^(?:${m.value})$`, "s");
    } catch {
      return `The regular expression of ${m.name} is not readable.`;
    }
  }
  if (d.matchers.every((m) => matches(m, ""))) return "At least one matcher must ask for a value, or the silence would cover every alert.";
  const start = Date.parse(d.startsAt);
  const end = Date.parse(d.endsAt);
  if (Number.isNaN(start) || Number.isNaN(end)) return "Give a start and an end.";
  if (end <= start) return "The end must be after the start.";
  if (end <= Date.now()) return "The end is in the past.";
  if (d.createdBy.trim() === "") return "Say who you are, so that others can ask you.";
  if (d.comment.trim() === "") return "Say why, so that others need not ask.";
  return undefined;
}

/** Local time without zone, as `<input type="datetime-local">` wants it. */
export function toField(ms: number): string {
  const d = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** A new draft of a silence that is there: to edit it (it keeps its id and times) or to make it again, from now on. */
export function draftOf(s: Silence, again: boolean, now = Date.now()): Draft {
  const length = Date.parse(s.endsAt) - Date.parse(s.startsAt);
  return {
    id: again ? undefined : s.id,
    matchers: s.matchers.map((m) => ({ ...m, isEqual: m.isEqual !== false })),
    startsAt: toField(again ? now : Date.parse(s.startsAt)),
    endsAt: toField(again ? now + length : Date.parse(s.endsAt)),
    createdBy: s.createdBy,
    comment: s.comment,
  };
}
