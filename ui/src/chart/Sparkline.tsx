// A bare little chart behind or beside a number. Plain canvas: a page may hold dozens of them.
import { createEffect, onCleanup, onMount } from "solid-js";
import { withAlpha } from "../lib/colors";
import type { Range } from "../lib/time";

export interface SparklineProps {
  values: (number | null)[];
  /** With times and a window, points stand where they belong; without, they share the width evenly. */
  times?: number[];
  window?: Range;
  color: string;
  min?: number;
  max?: number;
  label?: string;
}

export function Sparkline(props: SparklineProps) {
  let canvas!: HTMLCanvasElement;

  function draw(): void {
    const { clientWidth: w, clientHeight: h } = canvas;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(w * ratio));
    canvas.height = Math.max(1, Math.round(h * ratio));
    const ctx = canvas.getContext("2d");
    if (!ctx || w === 0) return;
    ctx.scale(ratio, ratio);
    ctx.clearRect(0, 0, w, h);
    const numbers = props.values.filter((v): v is number => typeof v === "number" && Number.isFinite(v));
    if (numbers.length === 0) return;
    const lo = props.min ?? Math.min(...numbers);
    const hi = props.max ?? Math.max(...numbers);
    const span = hi - lo || Math.abs(hi) || 1;
    const flat = hi === lo;
    const { times, window: range } = props;
    const x = (i: number) =>
      times && range ? ((times[i]! - range.from) / (range.to - range.from)) * w : props.values.length < 2 ? w / 2 : (i / (props.values.length - 1)) * w;
    const y = (v: number) => (flat ? h / 2 : h - 2 - ((v - lo) / span) * (h - 4));
    for (const run of runs(props.values)) {
      ctx.beginPath();
      run.forEach(([i, v], k) => (k === 0 ? ctx.moveTo(x(i), y(v)) : ctx.lineTo(x(i), y(v))));
      ctx.strokeStyle = props.color;
      ctx.lineWidth = 1.5;
      ctx.lineJoin = "round";
      ctx.stroke();
      ctx.lineTo(x(run[run.length - 1]![0]), h);
      ctx.lineTo(x(run[0]![0]), h);
      ctx.closePath();
      const g = ctx.createLinearGradient(0, 0, 0, h);
      g.addColorStop(0, withAlpha(props.color, 0.32));
      g.addColorStop(1, withAlpha(props.color, 0.03));
      ctx.fillStyle = g;
      ctx.fill();
    }
  }

  onMount(() => {
    const observer = new ResizeObserver(draw);
    observer.observe(canvas);
    onCleanup(() => observer.disconnect());
  });
  createEffect(() => {
    void [props.values, props.times, props.window, props.color, props.min, props.max];
    draw();
  });
  return <canvas class="spark" ref={canvas} role="img" aria-label={props.label ?? "Recent values"} />;
}

/** Stretches of consecutive numbers. */
function runs(values: (number | null)[]): [number, number][][] {
  const out: [number, number][][] = [];
  let run: [number, number][] = [];
  values.forEach((v, i) => {
    if (typeof v === "number" && Number.isFinite(v)) run.push([i, v]);
    else if (run.length) out.push(run), (run = []);
  });
  if (run.length) out.push(run);
  return out;
}
