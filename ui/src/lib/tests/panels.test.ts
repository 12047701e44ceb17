import { expect, test } from "vitest";
import { emptyPanel, promDuration, readPanels, writePanels, type PanelState } from "../panels";

const read = (text: string) => readPanels(new URLSearchParams(text));

test.each<[string, Partial<PanelState>[]]>([
  ["", [{ expr: "", tab: "table" }]],
  ["expr=up", [{ expr: "up", tab: "graph" }]],
  ["g0.expr=up&g0.tab=0&g0.range_input=30m", [{ expr: "up", tab: "graph", rangeMs: 1_800_000 }]],
  ["g0.expr=up&g0.tab=1", [{ tab: "table" }]],
  ["g0.expr=up&g0.tab=explain&g1.expr=b&g1.tab=graph&g1.display_mode=stacked", [{ expr: "up", tab: "explain" }, { expr: "b", stacked: true }]],
  ["g0.expr=a&g0.end_input=2026-01-02 03:04:05", [{ endMs: Date.UTC(2026, 0, 2, 3, 4, 5) }]],
  ["g0.expr=a&g0.res_type=fixed&g0.res_step=15", [{ stepMs: 15_000 }]],
  ["g0.expr=a&g0.step_input=7&g0.stacked=1", [{ stepMs: 7_000, stacked: true }]],
  ["g0.expr=a&g0.range_input=rubbish&g0.end_input=rubbish", [{ rangeMs: 3_600_000, endMs: undefined }]],
  ["g0.expr=a&g2.expr=c", [{ expr: "a" }]],
])("reads %s", (text, expected) => expect(read(text)).toMatchObject(expected));

test("what is written is read again", () => {
  const panels: PanelState[] = [
    { ...emptyPanel(), expr: 'sum(rate(a{b="c"}[5m]))', tab: "graph", rangeMs: 5_400_000, endMs: Date.UTC(2026, 5, 1), stepMs: 500, stacked: true, exemplars: true },
    { ...emptyPanel(), expr: "up", tab: "explain" },
  ];
  expect(readPanels(new URLSearchParams(writePanels(panels)))).toEqual(panels);
});

test.each([[0, "0s"], [1500, "1s500ms"], [5_400_000, "1h30m"], [604_800_000, "1w"], [8 * 86_400_000, "8d"]])("%d ms is %s", (ms, text) => expect(promDuration(ms)).toBe(text));
