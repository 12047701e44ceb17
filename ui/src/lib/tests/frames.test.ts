import { expect, test } from "vitest";
import { align, decodeFrame, openGaps, toSeries } from "../frames";

const wire = (labels: Record<string, string>, values: (number | null)[], extra: any = {}) => ({
  schema: { refId: "7/A", fields: [{ name: "Time", type: "time" }, { name: "Value", type: "number", labels, config: extra.config }] },
  data: { values: [values.map((_, i) => i * 1000), values], entities: extra.entities },
});

test("NaN and the infinities come back from the entities", () => {
  const f = decodeFrame(wire({}, [1, null, null, null], { entities: [null, { NaN: [1], Inf: [2], NegInf: [3] }] }), "A");
  expect(f.fields[1]!.values).toEqual([1, NaN, Infinity, -Infinity]);
  expect(f.refId).toBe("A");
  expect(f.length).toBe(4);
});

test("series are named by the server, the legend template, then the labels", () => {
  const named = (config: any, legend?: string) => toSeries([decodeFrame(wire({ __name__: "up", job: "node" }, [1], { config }), "A")], legend ? new Map([["A", legend]]) : undefined)[0]!.name;
  expect(named({ displayNameFromDS: "from server" }, "{{job}}")).toBe("from server");
  expect(named({}, "job {{job}}")).toBe("job node");
  expect(named({}, "__auto")).toBe("up");
});

test("a frame without anything is no series", () => {
  expect(toSeries([decodeFrame({})])).toEqual([]);
});

test("different timestamps share one column", () => {
  const [times, a, b] = align([{ times: [1, 3], values: [10, 30] }, { times: [2, 3], values: [20, NaN] }]);
  expect(times).toEqual([1, 2, 3]);
  expect(a).toEqual([10, undefined, 30]);
  expect(b).toEqual([undefined, 20, null]);
});

test("a pause opens a gap, jitter does not", () => {
  expect(openGaps([0, 10, 21, 60, 70], [1, 2, 3, 4, 5], 10)).toEqual({ times: [0, 10, 21, 31, 60, 70], values: [1, 2, 3, null, 4, 5] });
  expect(openGaps([0, 10, 24], [1, 2, 3], 10).values).toEqual([1, 2, 3]);
});
