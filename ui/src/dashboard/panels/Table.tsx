import { createMemo, createSignal, For, Show } from "solid-js";
import { theme } from "../../app/theme";
import { contrastText, withAlpha } from "../../lib/colors";
import type { Frame } from "../../lib/frames";
import { sortedIndex } from "../../lib/order";
import { reduce } from "../../lib/reduce";
import { shownText } from "../fieldConfig";
import { configure, type Configured } from "../fields";
import { fieldTitle } from "../transform";
import type { PanelProps } from "./props";

/** Rows drawn at most: a table beyond this is a query to be narrowed. */
const MAX_ROWS = 1000;

export default function Table(props: PanelProps) {
  const [chosen, setChosen] = createSignal(0);
  const [sort, setSort] = createSignal<{ name: string; desc: boolean } | undefined>();
  const frame = () => props.frames[Math.min(chosen(), props.frames.length - 1)];
  const columns = createMemo(() => {
    const f = frame();
    if (!f) return [];
    return f.fields.map((x, i) => configure(props.panel, x, title(f, i), f.refId, i, props.scope, theme())).filter((c) => !c.options.custom?.hidden && c.options.custom?.hideFrom?.viz !== true);
  });
  const order = createMemo(() => {
    const length = frame()?.length ?? 0;
    const configured = props.panel.options.sortBy?.[0];
    const by = sort() ?? (configured ? { name: configured.displayName, desc: !!configured.desc } : undefined);
    const column = by && columns().find((c) => c.name === by.name || c.field.name === by.name);
    return (column ? sortedIndex(column.field.values, by!.desc) : Array.from({ length }, (_, i) => i)).slice(0, MAX_ROWS);
  });
  return (
    <div class="table-panel">
      <div class="table-scroll">
        <table class="data-table">
          <Show when={props.panel.options.showHeader !== false}>
            <thead>
              <tr>
                <For each={columns()}>
                  {(c) => (
                    <th scope="col" classList={{ num: numeric(c) }} style={{ width: c.options.custom?.width ? `${c.options.custom.width}px` : undefined }} aria-sort={sort()?.name === c.name ? (sort()!.desc ? "descending" : "ascending") : "none"}>
                      <button onClick={() => setSort((s) => ({ name: c.name, desc: s?.name === c.name ? !s.desc : numeric(c) }))}>
                        {c.name}{sort()?.name === c.name ? (sort()!.desc ? " ↓" : " ↑") : ""}
                      </button>
                    </th>
                  )}
                </For>
              </tr>
            </thead>
          </Show>
          <tbody>
            <For each={order()}>{(row) => <tr><For each={columns()}>{(c) => <Cell column={c} value={c.field.values[row]} />}</For></tr>}</For>
          </tbody>
        </table>
      </div>
      <Show when={props.frames.length > 1}>
        <select class="frame-select" aria-label="Table" value={chosen()} onChange={(e) => setChosen(Number(e.currentTarget.value))}>
          <For each={props.frames}>{(f, i) => <option value={i()}>{f.name ?? f.refId ?? `Table ${i() + 1}`}</option>}</For>
        </select>
      </Show>
    </div>
  );
}

const numeric = (c: Configured): boolean => c.options.custom?.align === "right" || ((c.options.custom?.align ?? "auto") === "auto" && c.field.type === "number");

function title(f: Frame, i: number): string {
  const field = f.fields[i]!;
  return field.labels && Object.keys(field.labels).length && !field.config.displayName && field.config.displayNameFromDS ? field.config.displayNameFromDS : fieldTitle(field);
}

function Cell(props: { column: Configured; value: unknown }) {
  const shown = () => props.column.display(props.value);
  const custom = () => props.column.options.custom ?? {};
  const type = (): string => custom().cellOptions?.type ?? custom().displayMode ?? "auto";
  const style = () => {
    const color = shown().color;
    if (!color) return {};
    if (type().startsWith("color-background")) return { background: color, color: contrastText(color) };
    return type() === "color-text" ? { color } : {};
  };
  const bar = () => type() === "gauge" || type().includes("gauge") || type() === "basic" || type() === "lcd-gauge";
  // In a merged table a missing number only says that another query had this row.
  const text = () => ((props.value === null || props.value === undefined) && shown().color === null && props.column.options.noValue === undefined ? "–" : shownText(shown()));
  const link = () => {
    const l = props.column.options.links?.[0];
    return l?.url && /^(https?:\/\/|\/(?!\/))/.test(l.url) ? l.url.replace(/\$\{__value\.(?:text|raw)\}/g, encodeURIComponent(String(props.value ?? ""))) : undefined;
  };
  return (
    <td classList={{ num: numeric(props.column) }} style={style()}>
      <Show when={bar() && typeof props.value === "number"} fallback={<Show when={link()} fallback={text()}><a href={link()}>{text()}</a></Show>}>
        <span class="cell-gauge">
          <span class="bar-track"><span class="bar-fill" style={{ width: `${fraction(props.column, props.value as number) * 100}%`, background: withAlpha(shown().color ?? props.column.color, 0.75) }} /></span>
          <span style={{ color: shown().color ?? undefined }}>{text()}</span>
        </span>
      </Show>
    </td>
  );
}

function fraction(c: Configured, v: number): number {
  const min = c.options.min ?? 0;
  const max = c.options.max ?? (c.options.unit === "percent" ? 100 : c.options.unit === "percentunit" ? 1 : Number(reduce(c.field.values, "max")));
  return max > min ? Math.min(1, Math.max(0, (v - min) / (max - min))) : 0;
}
