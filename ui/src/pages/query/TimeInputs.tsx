// Moment and range of a panel.
import { createSignal, Show } from "solid-js";
import { promDuration } from "../../lib/panels";
import { parseDuration } from "../../lib/time";
import { Icon } from "../../ui/Icon";

const local = (ms: number): string => {
  const d = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return d.toISOString().slice(0, 19);
};

/** A moment in the reader's own time zone, with steps back and forward; empty is now. */
export function MomentInput(props: { label: string; value?: number; stepMs: number; onChange: (ms: number | undefined) => void }) {
  const shift = (by: number) => props.onChange(Math.round(((props.value ?? Date.now()) + by) / 1000) * 1000);
  return (
    <span class="group" role="group" aria-label={props.label}>
      <button class="button small icononly" aria-label="Earlier" onClick={() => shift(-props.stepMs)}><span class="flip"><Icon name="chevron" size={12} /></span></button>
      <input class="moment" type="datetime-local" step="1" aria-label={props.label} title={props.label} value={props.value === undefined ? "" : local(props.value)} onChange={(e) => props.onChange(e.currentTarget.value ? Date.parse(e.currentTarget.value) : undefined)} />
      <button class="button small icononly" aria-label="Later" onClick={() => shift(props.stepMs)}><Icon name="chevron" size={12} /></button>
      <Show when={props.value !== undefined}><button class="button small" onClick={() => props.onChange(undefined)}>Now</button></Show>
    </span>
  );
}

const ranges = ["1m", "5m", "10m", "30m", "1h", "2h", "6h", "12h", "1d", "2d", "1w", "2w", "4w", "8w", "365d"].map((r) => parseDuration(r)!);

/** How much time the graph shows: typed, or a size smaller or larger. */
export function RangeInput(props: { value: number; onChange: (ms: number) => void }) {
  const [bad, setBad] = createSignal(false);
  const enter = (text: string) => {
    const ms = parseDuration(text);
    setBad(!ms);
    if (ms) props.onChange(ms);
  };
  const smaller = () => props.onChange(ranges.findLast((r) => r < props.value) ?? props.value);
  const larger = () => props.onChange(ranges.find((r) => r > props.value) ?? props.value);
  return (
    <span class="group" role="group" aria-label="Range">
      <button class="button small" aria-label="Shorter range" onClick={smaller}>−</button>
      <input class="range" aria-label="Range" title="Range, such as 30m or 2h" aria-invalid={bad()} value={promDuration(props.value)} onChange={(e) => enter(e.currentTarget.value)} spellcheck={false} />
      <button class="button small" aria-label="Longer range" onClick={larger}>+</button>
    </span>
  );
}
