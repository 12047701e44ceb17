import { expect, test } from "vitest";
import { boundsText, quantileOf } from "../histogram";

const h = { count: "10", sum: "12", buckets: [[3, "-1", "1", "2"], [0, "1", "2", "6"], [0, "2", "4", "2"]] as [number, string, string, string][] };
test.each([[0.2, 1], [0.5, 1.5], [0.8, 2], [0.9, 3], [1, 4]])("quantile %d", (q, expected) => expect(quantileOf(h, q)).toBeCloseTo(expected));
test("nothing observed has no quantile", () => expect(quantileOf({ count: "0", sum: "0" }, 0.5)).toBeNaN());
test.each([[0, "(1, 2]"], [1, "[1, 2)"], [2, "(1, 2)"], [3, "[1, 2]"]])("rule %d", (rule, text) => expect(boundsText([rule, "1", "2", "5"])).toBe(text));
