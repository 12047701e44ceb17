// Time range and refresh: the controls at the top right of every page that shows data over time.
import { createSignal, For, lazy, Show, Suspense } from "solid-js";
import { describeRange, resolveRange, type RawRange } from "../lib/time";
import { Icon } from "./Icon";

const TimeRangeDialog = lazy(() => import("./TimeRangeDialog"));
const refreshChoices = ["", "5s", "10s", "30s", "1m", "5m", "15m"];

export interface TimeControls {
  range: RawRange;
  onRange: (range: RawRange) => void;
  refresh?: string;
  onRefresh?: (every: string) => void;
  onReload: () => void;
  busy?: boolean;
}

export function TimePicker(props: TimeControls) {
  const [open, setOpen] = createSignal(false);
  let box!: HTMLDivElement;
  const zoomOut = () => {
    const r = resolveRange(props.range);
    if (!r) return;
    const half = Math.max(30_000, (r.to - r.from) / 2);
    props.onRange({ from: String(Math.round(r.from - half)), to: String(Math.round(r.to + half)) });
  };
  return (
    <div class="timepicker" ref={box}>
      <div class="group">
        <button class="button" aria-haspopup="dialog" aria-expanded={open()} onClick={() => setOpen(!open())}>
          <Icon name="clock" size={14} /> {describeRange(props.range)} <Icon name="down" size={12} />
        </button>
        <button class="button icononly" aria-label="Zoom out" title="Zoom out" onClick={zoomOut}><Icon name="zoomOut" size={14} /></button>
      </div>
      <div class="group">
        <button class="button icononly" aria-label="Refresh" title="Refresh" onClick={() => props.onReload()}><span classList={{ spin: props.busy }}><Icon name="refresh" size={14} /></span></button>
        <Show when={props.onRefresh}>
          <select class="button" aria-label="Refresh every" title="Refresh every" value={props.refresh ?? ""} onChange={(e) => props.onRefresh!(e.currentTarget.value)}>
            <For each={refreshChoices.includes(props.refresh ?? "") ? refreshChoices : [...refreshChoices, props.refresh!]}>{(r) => <option value={r} selected={r === (props.refresh ?? "")}>{r || "Off"}</option>}</For>
          </select>
        </Show>
      </div>
      <Show when={open()}>
        <Suspense>
          <TimeRangeDialog
            range={props.range}
            anchor={box}
            onClose={() => setOpen(false)}
            onRange={(range) => {
              setOpen(false);
              props.onRange(range);
            }}
          />
        </Suspense>
      </Show>
    </div>
  );
}
