// Runs a query whenever what it depends on changes; a newer run ends an older one.
import { createEffect, createSignal, on, onCleanup } from "solid-js";
import { isAbort, messageOf } from "../../api/http";

export function useQuery<K, T>(key: () => K, load: (key: K, signal: AbortSignal) => Promise<T>) {
  const [result, setResult] = createSignal<T | undefined>();
  const [error, setError] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  const [tookMs, setTookMs] = createSignal(0);
  let abort = new AbortController();
  onCleanup(() => abort.abort());
  createEffect(on(key, async (k) => {
    abort.abort();
    const own = (abort = new AbortController());
    const started = performance.now();
    setBusy(true);
    try {
      const found = await load(k, own.signal);
      if (own.signal.aborted) return;
      setResult(() => found);
      setTookMs(performance.now() - started);
      setError("");
    } catch (e) {
      if (!isAbort(e) && !own.signal.aborted) (setError(messageOf(e)), setResult(undefined));
    } finally {
      if (own === abort) setBusy(false);
    }
  }));
  return { result, error, busy, tookMs };
}

/** `8 series · 12 ms · 1,234 samples read`: what a query gave and cost. */
export function costText(series: number, tookMs: number, stats?: { samples?: { totalQueryableSamples?: number; peakSamples?: number } }): string {
  const samples = stats?.samples?.totalQueryableSamples;
  const peak = stats?.samples?.peakSamples;
  return [`${series.toLocaleString()} series`, `${Math.round(tookMs)} ms`, ...(samples === undefined ? [] : [`${samples.toLocaleString()} samples`]), ...(peak === undefined ? [] : [`${peak.toLocaleString()} at most in memory`])].join(" · ");
}
