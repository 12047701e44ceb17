import { describe, expect, it } from "vitest";
import type { Alert, AlertGroup, RouteNode, Silence } from "../../api/alertmanager";
import { bySeverity, exactFilter, generatorExpr, logSelector, lookAt, quietReasons, sections } from "../alerts";
import { onTheWay, parseLabels, timing } from "../routing";
import { affected, draftOf, draftProblem, matches, toField } from "../silences";

const alert = (labels: Record<string, string>, more: Partial<Alert> = {}): Alert => ({
  fingerprint: JSON.stringify(labels),
  labels,
  annotations: {},
  startsAt: "2026-03-01T10:00:00.000Z",
  endsAt: "2026-03-01T10:05:00.000Z",
  updatedAt: "2026-03-01T10:01:00.000Z",
  status: { state: "active", silencedBy: [], inhibitedBy: [], mutedBy: [] },
  ...more,
});
const group = (labels: Record<string, string>, receiver: string, ...alerts: Alert[]): AlertGroup => ({ labels, receiver: { name: receiver }, alerts });

describe("sections", () => {
  const a = alert({ alertname: "A", instance: "1" });
  const b = alert({ alertname: "B", instance: "1" });
  const groups = [group({ alertname: "A" }, "x", a), group({ alertname: "A" }, "y", a), group({ alertname: "B" }, "x", b)];
  it("keeps the routing's groups, receiver by receiver", () => {
    expect(sections(groups, []).map((s) => [s.labels.alertname, s.receivers.join(), s.alerts.length])).toEqual([["A", "x", 1], ["A", "y", 1], ["B", "x", 1]]);
  });
  it("groups by one's own labels and lists an alert once", () => {
    const own = sections(groups, ["instance", "missing"]);
    expect(own).toHaveLength(1);
    expect(own[0]!.labels).toEqual({ instance: "1" });
    expect(own[0]!.receivers).toEqual(["x", "y"]);
    expect(own[0]!.alerts).toEqual([a, b]);
  });
});

describe("alerts", () => {
  it("puts the worst first and unknown severities last", () => {
    const list = ["none", "info", "critical", "warning"].map((severity) => alert({ severity }));
    expect(list.sort(bySeverity).map((a) => a.labels.severity)).toEqual(["critical", "warning", "info", "none"]);
  });
  it("says everything that keeps one quiet", () => {
    const quiet = alert({}, { status: { state: "suppressed", silencedBy: ["s1", "s2"], inhibitedBy: ["f"], mutedBy: ["night"] } });
    expect(quietReasons(quiet).map((q) => `${q.kind} ${q.by}`)).toEqual(["silence s1", "silence s2", "inhibition f", "interval night"]);
    expect(quietReasons(alert({}, { status: { state: "active", silencedBy: [], inhibitedBy: [] } }))).toEqual([]);
  });
  it("writes a filter for exactly one label set", () => {
    expect(exactFilter({ a: "1", b: 'x"y' })).toBe('{a="1",b="x\\"y"}');
  });
  it("finds the expression in the generator's link", () => {
    expect(generatorExpr("http://h:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1")).toBe("up == 0");
    expect(generatorExpr("not a link")).toBeUndefined();
    expect(generatorExpr(undefined)).toBeUndefined();
  });
  it("picks the log lines that may belong to it", () => {
    expect(logSelector({ name: "db", job: "cadvisor" })).toBe('{container="db"}');
    expect(logSelector({ unit: "ssh.service" })).toBe('{unit="ssh.service"}');
    expect(logSelector({ job: "node" })).toBe('{job=~".+"}');
  });
});

describe("where to look", () => {
  const now = Date.parse("2026-03-01T10:10:00Z");
  const one = alert({ service: "shop" }, { generatorURL: "http://h:9090/graph?g0.expr=up", annotations: { runbook_url: "https://h/r" } });
  const params = (to: string) => Object.fromEntries(new URL(to, "http://x").searchParams);
  it("looks around the start, up to now while it lasts", () => {
    const links = lookAt(one, "", now);
    expect(links.map((l) => l.label)).toEqual(["Graph", "Logs", "Traces", "Runbook"]);
    expect(params(links[0]!.to)).toEqual({ expr: "up", from: String(Date.parse("2026-03-01T09:30:00Z")), to: "now" });
    expect(params(links[2]!.to)).toEqual({ service: "shop", start: String(Date.parse("2026-03-01T09:30:00Z")), end: String(now) });
    expect(links.map((l) => l.external)).toEqual([false, false, false, true]);
  });
  it("ends half an hour after the start of what began long ago", () => {
    expect(params(lookAt(one, "", now + 86_400_000)[0]!.to).to).toBe(String(Date.parse("2026-03-01T10:30:00Z")));
  });
  it("has only the generator's link where the pages are not known", () => {
    expect(lookAt(one, null, now).map((l) => l.to)).toEqual(["http://h:9090/graph?g0.expr=up", "https://h/r"]);
  });
  it("never links to a script", () => {
    expect(lookAt(alert({}, { generatorURL: "javascript:alert(1)", annotations: { runbook_url: "javascript:alert(1)" } }), null, now)).toEqual([]);
  });
});

describe("silences", () => {
  it("matches as the server does", () => {
    const m = (name: string, value: string, isRegex = false, isEqual = true) => ({ name, value, isRegex, isEqual });
    expect(matches(m("a", "x"), "x")).toBe(true);
    expect(matches(m("a", "x", false, false), "")).toBe(true);
    expect(matches(m("a", "x|y", true), "y")).toBe(true);
    expect(matches(m("a", "x", true), "xx")).toBe(false);
    expect(matches(m("a", "(", true), "(")).toBe(false);
    const list = [alert({ a: "x" }), alert({ a: "y", b: "1" })];
    expect(affected([m("a", "x|y", true), m("b", "")], list)).toEqual([list[0]]);
    expect(affected([], list)).toEqual([]);
  });
  const draft = { matchers: [{ name: "a", value: "x", isRegex: false, isEqual: true }], startsAt: toField(Date.now()), endsAt: toField(Date.now() + 3_600_000), createdBy: "me", comment: "why" };
  it("says what is wrong with a draft", () => {
    expect(draftProblem(draft)).toBeUndefined();
    expect(draftProblem({ ...draft, matchers: [] })).toContain("at least one matcher");
    expect(draftProblem({ ...draft, matchers: [{ name: "a", value: ".*", isRegex: true, isEqual: true }] })).toContain("every alert");
    expect(draftProblem({ ...draft, matchers: [{ name: "a", value: "(", isRegex: true, isEqual: true }] })).toContain("not readable");
    expect(draftProblem({ ...draft, endsAt: draft.startsAt })).toContain("after the start");
    expect(draftProblem({ ...draft, startsAt: toField(0), endsAt: toField(1000) })).toContain("in the past");
    expect(draftProblem({ ...draft, createdBy: " " })).toContain("who");
    expect(draftProblem({ ...draft, comment: "" })).toContain("why");
  });
  it("makes one again from now on, or edits it as it is", () => {
    const s: Silence = { id: "i", matchers: [{ name: "a", value: "x", isRegex: false }], startsAt: "2026-03-01T10:00:00Z", endsAt: "2026-03-01T12:00:00Z", createdBy: "me", comment: "why" };
    const now = Date.parse("2026-05-01T00:00:00Z");
    const again = draftOf(s, true, now);
    expect(again.id).toBeUndefined();
    expect(Date.parse(again.endsAt) - Date.parse(again.startsAt)).toBe(2 * 3_600_000);
    expect(draftOf(s, false, now)).toMatchObject({ id: "i", startsAt: toField(Date.parse(s.startsAt)) });
    expect(again.matchers[0]!.isEqual).toBe(true);
  });
});

describe("routes", () => {
  const node = (id: string, routes: RouteNode[] = [], more: Partial<RouteNode> = {}): RouteNode => ({ id, receiver: id, matchers: [], continue: false, groupBy: [], groupWait: "30s", groupInterval: "5m", repeatInterval: "4h", muteTimeIntervals: [], activeTimeIntervals: [], labels: {}, routes, ...more });
  it("reads labels with and without quotes and commas", () => {
    expect(parseLabels('severity=critical, team="a b"')).toEqual({ severity: "critical", team: "a b" });
    expect(parseLabels("severity=critical team=ai")).toEqual({ severity: "critical", team: "ai" });
    expect(parseLabels("")).toEqual({});
    expect(parseLabels("severity=~critical")).toBeNull();
    expect(parseLabels("severity")).toBeNull();
  });
  it("tells only what differs from the parent", () => {
    expect(timing(node("a"))).toEqual(["group_wait 30s", "group_interval 5m", "repeat_interval 4h"]);
    expect(timing(node("b", [], { groupWait: "10s" }), node("a"))).toEqual(["group_wait 10s"]);
  });
  it("marks the way from the root", () => {
    const tree = node("r", [node("a", [node("b")]), node("c")]);
    expect([...onTheWay(tree, ["b"])].sort()).toEqual(["a", "b", "r"]);
    expect([...onTheWay(tree, [])]).toEqual([]);
  });
});
