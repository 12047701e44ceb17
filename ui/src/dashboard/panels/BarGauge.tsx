import { createMemo, For } from "solid-js";
import { theme } from "../../app/theme";
import { rampColor, resolveColor, withAlpha } from "../../lib/colors";
import { absoluteSteps } from "../../lib/mappings";
import { shownText } from "../fieldConfig";
import { boundsOf, reducedValues, type Reduced } from "../fields";
import type { PanelProps } from "./props";

export default function BarGauge(props: PanelProps) {
  const values = createMemo(() => reducedValues(props.panel, props.frames, props.scope, theme()));
  // "auto" lies the bars down: names stay readable, and that is what a list of values is for.
  const vertical = () => props.panel.options.orientation === "vertical";
  return (
    <div class="bargauge" classList={{ vertical: vertical() }}>
      <For each={values()}>
        {(v) => {
          const bounds = () => boundsOf(values(), v.options);
          const shown = () => v.display(v.value);
          const part = () => Math.min(1, Math.max(0, (Number(v.value) - bounds().min) / (bounds().max - bounds().min))) || 0;
          const color = () => shown().color ?? v.color;
          return (
            <div class="bar" title={`${v.name}: ${shownText(shown())}`}>
              <span class="bar-name">{v.name}</span>
              <span class="bar-track">
                <span class="bar-fill" style={{ [vertical() ? "height" : "width"]: `${part() * 100}%`, background: background(v, bounds(), props.panel.options.displayMode, color(), vertical(), part()) }} />
              </span>
              <span class="bar-value" style={{ color: color() }}>{shownText(shown())}</span>
            </div>
          );
        }}
      </For>
    </div>
  );
}

function background(v: Reduced, bounds: { min: number; max: number }, mode: string | undefined, color: string, vertical: boolean, part: number): string {
  if (mode !== "gradient" && mode !== "lcd") return withAlpha(color, 0.75);
  const direction = vertical ? "to top" : "to right";
  if (v.options.color?.mode?.startsWith("continuous-")) {
    return `linear-gradient(${direction}, ${[0, 0.25, 0.5, 0.75, 1].map((t) => rampColor(v.options.color!.mode!, t * part)).join(", ")})`;
  }
  const stops = absoluteSteps(v.options.thresholds, bounds.min, bounds.max).map((s) => {
    const at = Number.isFinite(s.value) ? (s.value - bounds.min) / (bounds.max - bounds.min) : 0;
    return `${resolveColor(s.color, theme())} ${((at / (part || 1)) * 100).toFixed(1)}%`;
  });
  return stops.length > 1 ? `linear-gradient(${direction}, ${stops.join(", ")})` : withAlpha(color, 0.75);
}
