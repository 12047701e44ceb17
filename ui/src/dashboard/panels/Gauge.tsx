import { createMemo, For } from "solid-js";
import { theme } from "../../app/theme";
import { resolveColor } from "../../lib/colors";
import { absoluteSteps } from "../../lib/mappings";
import { shownText } from "../fieldConfig";
import { boundsOf, reducedValues } from "../fields";
import type { PanelProps } from "./props";

// The dial covers 240 degrees, open at the bottom.
const START = (150 * Math.PI) / 180;
const SWEEP = (240 * Math.PI) / 180;

export default function Gauge(props: PanelProps) {
  const values = createMemo(() => reducedValues(props.panel, props.frames, props.scope, theme()));
  return (
    <div class="gauge">
      <For each={values()}>
        {(v) => {
          const bounds = () => boundsOf(values(), v.options);
          const shown = () => v.display(v.value);
          const part = () => clamp((Number(v.value) - bounds().min) / (bounds().max - bounds().min));
          const color = () => shown().color ?? v.color;
          const steps = () => absoluteSteps(v.options.thresholds, bounds().min, bounds().max);
          const at = (value: number) => clamp((value - bounds().min) / (bounds().max - bounds().min));
          return (
            <figure class="gauge-cell">
              <svg viewBox="0 0 120 96" role="img" aria-label={`${v.name}: ${shownText(shown())}`}>
                <path class="gauge-track" d={arc(0, 1, 46)} />
                <path d={arc(0, part(), 46)} style={{ stroke: color() }} class="gauge-value" />
                <For each={props.panel.options.showThresholdMarkers === false ? [] : steps()}>
                  {(s, i) => <path class="gauge-marker" d={arc(Number.isFinite(s.value) ? at(s.value) : 0, i() + 1 < steps().length ? at(steps()[i() + 1]!.value) : 1, 55)} style={{ stroke: resolveColor(s.color, theme()) }} />}
                </For>
                <text x="60" y="62" class="gauge-text" style={{ fill: color(), "font-size": `${Math.min(20, 120 / Math.max(4, shownText(shown()).length))}px` }}>{shownText(shown())}</text>
              </svg>
              <figcaption>{values().length > 1 ? v.name : ""}</figcaption>
            </figure>
          );
        }}
      </For>
    </div>
  );
}

const clamp = (v: number) => (Number.isFinite(v) ? Math.min(1, Math.max(0, v)) : 0);

function arc(from: number, to: number, radius: number): string {
  const point = (t: number) => `${(60 + radius * Math.cos(START + SWEEP * t)).toFixed(2)} ${(60 + radius * Math.sin(START + SWEEP * t)).toFixed(2)}`;
  if (to <= from) return "";
  return `M ${point(from)} A ${radius} ${radius} 0 ${(to - from) * 240 > 180 ? 1 : 0} 1 ${point(to)}`;
}
