// The time range of a page, kept in its URL (`from`, `to`, `refresh`), and the ticks of its auto refresh.
import { createEffect, createMemo, createSignal, on, onCleanup, untrack } from "solid-js";
import { location, setQuery } from "../app/router";
import { parseDuration, resolveRange, type Range, type RawRange } from "../lib/time";
import type { TimeControls } from "./TimePicker";

/** Faster refreshes than this would only ask for the same points again. */
const MIN_REFRESH_MS = 1000;

export interface TimeState {
  raw: () => RawRange;
  /** The resolved range. It is renewed on every tick and every change. */
  range: () => Range;
  setRaw: (range: RawRange) => void;
  reload: () => void;
  controls: (busy?: () => boolean) => TimeControls;
}

export function useTimeRange(defaults: { from: string; to: string; refresh?: string }): TimeState {
  const raw = createMemo((): RawRange => ({ from: location().query.get("from") || defaults.from, to: location().query.get("to") || defaults.to }), undefined, {
    equals: (a, b) => a.from === b.from && a.to === b.to,
  });
  const refresh = createMemo(() => {
    const asked = location().query.get("refresh") ?? defaults.refresh ?? "";
    return asked === "off" ? "" : asked;
  });
  const [tick, setTick] = createSignal(0);
  const reload = () => setTick((n) => n + 1);
  const range = createMemo(() => {
    tick();
    // An unreadable range in the URL falls back to the page's own.
    return resolveRange(raw()) ?? resolveRange(defaults) ?? { from: Date.now() - 3_600_000, to: Date.now() };
  });
  createEffect(on(refresh, (every) => {
    const ms = every === "auto" ? 30_000 : parseDuration(every);
    if (!ms) return;
    const timer = window.setInterval(() => {
      if (!document.hidden && untrack(raw).to.includes("now")) reload();
    }, Math.max(MIN_REFRESH_MS, ms));
    onCleanup(() => window.clearInterval(timer));
  }));
  const setRaw = (r: RawRange) => setQuery({ from: r.from, to: r.to }, { push: true });
  const controls = (busy?: () => boolean): TimeControls => ({
    get range() { return raw(); },
    onRange: setRaw,
    get refresh() { return refresh(); },
    onRefresh: (every) => setQuery({ refresh: every || (defaults.refresh ? "off" : undefined) }),
    onReload: reload,
    get busy() { return busy?.() ?? false; },
  });
  return { raw, range, setRaw, reload, controls };
}
