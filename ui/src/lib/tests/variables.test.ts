import { expect, test } from "vitest";
import { ALL, interpolate, mentioned, type VariableValue } from "../variables";

const scope = new Map<string, VariableValue>([
  ["host", { value: "web.1:9100", text: "web.1:9100" }],
  ["job", { value: ["node", "db.x"], text: ["node", "db.x"], multi: true, options: ["node", "db.x", "api"] }],
  ["one", { value: ["db.x"], text: ["db.x"], multi: true }],
  ["all", { value: ALL, text: "All", includeAll: true, options: ["a", "b"] }],
  ["every", { value: [ALL], text: ["All"], includeAll: true, multi: true, allValue: ".*", options: ["a"] }],
  ["ds", { value: "prometheus", text: "Prometheus" }],
]);

const cases: [template: string, fallback: "promql" | "glob" | "text", text: string][] = [
  ['up{instance="$host"}', "promql", 'up{instance="web.1:9100"}'],
  ['up{job=~"$job"}', "promql", 'up{job=~"(node|db\\\\.x)"}'],
  ['up{job=~"$one"}', "promql", 'up{job=~"db\\\\.x"}'],
  ['up{x=~"$all"}', "promql", 'up{x=~"(a|b)"}'],
  ['up{x=~"$every"}', "promql", 'up{x=~".*"}'],
  ["${job:csv}", "promql", "node,db.x"],
  ["${job:pipe}", "promql", "node|db.x"],
  ["${job:regex}", "promql", "(node|db\\.x)"],
  ["${job:raw}", "promql", "node,db.x"],
  ["${job:json}", "glob", '["node","db.x"]'],
  ["${job:queryparam}", "glob", "var-job=node&var-job=db.x"],
  ["${job:singlequote}", "glob", "'node','db.x'"],
  ["${job:text}", "glob", "node + db.x"],
  ["${job:glob}", "glob", "{node,db.x}"],
  ["[[job:pipe]]", "glob", "node|db.x"],
  ["$job", "text", "node + db.x"],
  ["Load of $host", "text", "Load of web.1:9100"],
  ["${ds}", "glob", "prometheus"],
  ["rate(x[$__rate_interval]) + $unknown", "promql", "rate(x[$__rate_interval]) + $unknown"],
  ["{{instance}} $1", "text", "{{instance}} $1"],
];

test.each(cases)("%s (%s) becomes %s", (template, fallback, text) => {
  expect(interpolate(template, scope, fallback)).toBe(text);
});

test("names that a template mentions", () => {
  expect(mentioned("label_values(up{job=~\"$job\", x=\"${host:regex}\"}, [[y]])")).toEqual(["job", "host", "y"]);
});
