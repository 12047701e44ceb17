// What a PromQL input completes: metrics, labels and values as the server knows them, functions with a word of help.
import * as prometheus from "../api/prometheus";
import { functionHelp } from "../lib/functions";
import type { CompletionSource } from "./QueryInput";

/** Remembers answers for a minute: completion asks on every key. */
function remembered<T>(load: (...args: string[]) => Promise<T>): (...args: string[]) => Promise<T> {
  const cache = new Map<string, { at: number; value: Promise<T> }>();
  return (...args) => {
    const key = JSON.stringify(args);
    const hit = cache.get(key);
    if (hit && Date.now() - hit.at < 60_000) return hit.value;
    const value = load(...args);
    cache.set(key, { at: Date.now(), value });
    value.catch(() => cache.delete(key));
    if (cache.size > 200) cache.delete(cache.keys().next().value!);
    return value;
  };
}

const labelsOf = remembered((metric) => prometheus.labelNames(metric ? { "match[]": metric } : {}));
const valuesOf = remembered((label, metric) => prometheus.labelValues(label!, metric ? { "match[]": metric } : {}));
export const metadataOf = remembered(() => prometheus.metadata()) as () => ReturnType<typeof prometheus.metadata>;

let known: Awaited<ReturnType<typeof prometheus.metadata>> = {};

export const metricCompletion: CompletionSource = {
  metrics: async () => {
    // Help texts are a courtesy: names complete without them.
    void metadataOf().then((m) => (known = m), () => undefined);
    return metricNames();
  },
  labels: (metric) => labelsOf(metric ?? ""),
  values: (label, metric) => valuesOf(label, metric ?? ""),
  words: Object.keys(functionHelp),
  describe: (option) => functionHelp[option] ?? known[option]?.[0]?.type,
};

const metricNames = remembered(() => prometheus.labelValues("__name__")) as () => Promise<string[]>;
