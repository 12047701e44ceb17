// The legend under or beside a chart. A click shows one series alone, a second click all of them again;
// with Ctrl or Shift a click hides or shows just that series.
import { createMemo, createSignal, For, Show } from "solid-js";
import { sortedIndex } from "../lib/order";
import { reduce, reducerLabel } from "../lib/reduce";
import { formatValue } from "../lib/units";
import type { ChartSeries } from "./model";

export interface LegendOptions {
  displayMode?: string;
  placement?: string;
  calcs?: string[];
  showLegend?: boolean;
  sortBy?: string;
  sortDesc?: boolean;
}

/** The DOM of more rows than this is slower than the chart itself. */
const MAX_ROWS = 200;

export function Legend(props: { series: ChartSeries[]; options: LegendOptions; hidden: ReadonlySet<string>; onHidden: (hidden: Set<string>) => void }) {
  const calcs = () => props.options.calcs ?? [];
  const [sort, setSort] = createSignal<{ by: string; desc: boolean } | null>(null);
  const ordered = createMemo(() => {
    const by = sort()?.by ?? props.options.sortBy;
    const desc = sort()?.desc ?? props.options.sortDesc ?? true;
    const calc = calcs().find((c) => c === by || reducerLabel(c) === by);
    if (!by || (!calc && by !== "Name")) return props.series;
    const keys = props.series.map((s) => (calc ? reduce(s.values, calc) : s.name));
    return sortedIndex(keys, desc).map((i) => props.series[i]!);
  });
  const cell = (s: ChartSeries, calc: string) => {
    const v = reduce(s.values, calc);
    return typeof v === "number" ? (s.format ? s.format(v) : formatValue(v, s.unit, s.decimals)) : v === null ? "–" : String(v);
  };
  const click = (s: ChartSeries, event: MouseEvent) => {
    const names = props.series.map((x) => x.name);
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      const next = new Set(props.hidden);
      if (!next.delete(s.name)) next.add(s.name);
      return props.onHidden(next);
    }
    const alone = !props.hidden.has(s.name) && props.hidden.size >= new Set(names).size - 1;
    props.onHidden(alone ? new Set() : new Set(names.filter((n) => n !== s.name)));
  };
  const item = (s: ChartSeries, withCalcs: boolean) => (
    <button class="legend-item" classList={{ off: props.hidden.has(s.name) }} onClick={(e) => click(s, e)} title={s.name} aria-pressed={!props.hidden.has(s.name)}>
      <span class="swatch" style={{ background: s.color }} />
      <span class="label">{s.name}</span>
      <Show when={withCalcs}>
        <For each={calcs()}>{(c) => <span class="calc">{calcs().length > 1 ? `${reducerLabel(c)}: ` : ""}{cell(s, c)}</span>}</For>
      </Show>
    </button>
  );
  const right = () => props.options.placement === "right";
  return (
    <Show
      when={props.options.displayMode === "table"}
      fallback={
        <div class="legend list" classList={{ right: right() }}>
          <For each={ordered().slice(0, MAX_ROWS)}>{(s) => item(s, true)}</For>
          <Show when={ordered().length > MAX_ROWS}>and {ordered().length - MAX_ROWS} more</Show>
        </div>
      }
    >
      <div class="legend table" classList={{ right: right() }}>
        <table>
          <thead>
            <tr>
              <For each={["Name", ...calcs()]}>
                {(c) => (
                  <th scope="col" onClick={() => setSort((s) => ({ by: c, desc: s?.by === c ? !s.desc : true }))}>
                    {c === "Name" ? "" : reducerLabel(c)}
                    {sort()?.by === c ? (sort()!.desc ? " ↓" : " ↑") : ""}
                  </th>
                )}
              </For>
            </tr>
          </thead>
          <tbody>
            <For each={ordered().slice(0, MAX_ROWS)}>
              {(s) => (
                <tr classList={{ off: props.hidden.has(s.name) }}>
                  <td>{item(s, false)}</td>
                  <For each={calcs()}>{(c) => <td>{cell(s, c)}</td>}</For>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
    </Show>
  );
}
