import { expect, test } from "vitest";
import { labelChanges, ruleText } from "../relabel";

test.each([
  [{ a: "1" }, { a: "1" }, []],
  [{ a: "1" }, { a: "2" }, [{ name: "a", kind: "changed", before: "1", after: "2" }]],
  [{}, { b: "x" }, [{ name: "b", kind: "added", after: "x" }]],
  [{ z: "1", a: "1" }, {}, [{ name: "a", kind: "removed", before: "1" }, { name: "z", kind: "removed", before: "1" }]],
  [{ a: "" }, { a: "1" }, [{ name: "a", kind: "changed", before: "", after: "1" }]],
])("changes from %j to %j", (before, after, expected) => expect(labelChanges(before, after)).toEqual(expected));

test.each([
  [{ source_labels: ["a", "b"], separator: ";", target_label: "c", regex: "(.+)", replacement: "$1", action: "replace" }, "replace  source_labels=[a, b]  target_label=c  regex=(.+)"],
  [{ action: "labeldrop", regex: "tmp_.*" }, "labeldrop  regex=tmp_.*"],
  [{ regex: "(.*)", action: "keep", source_labels: [] }, "keep"],
  [{ action: "hashmod", modulus: 4, source_labels: ["x"], target_label: "shard" }, "hashmod  modulus=4  source_labels=[x]  target_label=shard"],
])("rule %j in a line", (rule, text) => expect(ruleText(rule)).toBe(text));
