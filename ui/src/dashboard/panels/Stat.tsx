import { createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { theme } from "../../app/theme";
import { contrastText } from "../../lib/colors";
import { Sparkline } from "../../chart/Sparkline";
import { reducedValues, type Reduced } from "../fields";
import type { PanelProps } from "./props";

export default function Stat(props: PanelProps) {
  let host!: HTMLDivElement;
  const [box, setBox] = createSignal({ w: 200, h: 80 });
  onMount(() => {
    const observer = new ResizeObserver(() => setBox({ w: host.clientWidth, h: host.clientHeight }));
    observer.observe(host);
    onCleanup(() => observer.disconnect());
  });
  const values = createMemo(() => reducedValues(props.panel, props.frames, props.scope, theme()));
  const o = () => props.panel.options;
  const background = () => String(o().colorMode ?? "value").startsWith("background");
  const horizontal = () => (o().orientation === "horizontal" ? false : o().orientation === "vertical" ? true : box().w / Math.max(1, box().h) > 1.2);
  const cell = () => (horizontal() ? { w: box().w / Math.max(1, values().length), h: box().h } : { w: box().w, h: box().h / Math.max(1, values().length) });
  const named = () => o().textMode === "value_and_name" || o().textMode === "name" || ((o().textMode ?? "auto") === "auto" && values().length > 1);
  return (
    <div class="stat" classList={{ row: horizontal() }} ref={host}>
      <For each={values()}>
        {(v) => {
          const shown = () => v.display(v.value);
          const color = () => shown().color ?? v.color;
          const fill = () => background() && shown().color !== null;
          const ink = () => (fill() ? contrastText(color()) : o().colorMode === "none" ? undefined : (shown().color ?? undefined));
          const size = () => fontSize(shown(), cell(), named());
          return (
            <div class="stat-cell" style={{ background: fill() ? color() : undefined, color: fill() ? contrastText(color()) : undefined }}>
              <Show when={(o().graphMode ?? "area") !== "none" && v.values.length > 1}>
                <div class="stat-spark">
                  <Sparkline values={v.values} times={v.times} window={props.range} color={fill() ? contrastText(color()) : color()} min={v.options.min ?? undefined} max={v.options.max ?? undefined} label={`${v.name} over time`} />
                </div>
              </Show>
              <Show when={named()}><div class="stat-name" classList={{ alone: o().textMode === "name" }}>{v.name}</div></Show>
              <Show when={o().textMode !== "none" && o().textMode !== "name"}>
                <div class="stat-value" style={{ color: ink(), "font-size": `${size()}px` }}>
                  {shown().prefix}{shown().text}<span class="stat-suffix">{shown().suffix}</span>
                </div>
              </Show>
            </div>
          );
        }}
      </For>
    </div>
  );
}

/** Largest size at which the text fits its cell; an average glyph is about 0.58 em wide. */
function fontSize(shown: ReturnType<Reduced["display"]>, cell: { w: number; h: number }, named: boolean): number {
  const chars = shown.text.length + (shown.prefix?.length ?? 0) + (shown.suffix?.length ?? 0) * 0.62;
  const byWidth = (cell.w - 18) / Math.max(1, chars * 0.58);
  const byHeight = (cell.h - (named ? 24 : 8)) * 0.62;
  return Math.round(Math.max(12, Math.min(byWidth, byHeight, 52)));
}
