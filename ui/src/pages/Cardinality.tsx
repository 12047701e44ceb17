// The cardinality explorer: narrow down label by label and see where the series are. The way down is in the
// URL (`focus=name&focus=value&…`), so it can be sent to a colleague.
import { createEffect, createSignal, For, on, Show } from "solid-js";
import { isAbort, messageOf } from "../api/http";
import * as prometheus from "../api/prometheus";
import { location, setQuery } from "../app/router";
import { barWidth, countQuery, selectorOf, totalQuery, valuesQuery, type Focus } from "../lib/cardinality";
import { formatValue } from "../lib/units";
import { ErrorState, Loading } from "../ui/States";

const VALUES_MAX = 20;
/** Labels whose values are counted at once. */
const LABELS_MAX = 40;

interface Level {
  total: number;
  labels: { name: string; values: number }[];
}

export function Cardinality() {
  const path = (): Focus[] => {
    const flat = location().query.getAll("focus");
    return Array.from({ length: Math.floor(flat.length / 2) }, (_, i) => ({ name: flat[2 * i]!, value: flat[2 * i + 1]! }));
  };
  const goTo = (next: readonly Focus[]) => setQuery({ focus: next.flatMap((f) => [f.name, f.value]), by: undefined }, { push: true });
  const label = () => location().query.get("by") ?? (path().length === 0 ? "__name__" : "");
  const [level, setLevel] = createSignal<Level | undefined>();
  const [values, setValues] = createSignal<{ value: string; series: number }[]>([]);
  const [error, setError] = createSignal("");
  let abort = new AbortController();

  createEffect(on([() => JSON.stringify(path()), label], async () => {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    const [here, by] = [path(), label()];
    try {
      const names = await prometheus.labelNames({ "match[]": selectorOf(here) });
      const open = names.filter((n) => !here.some((f) => f.name === n)).slice(0, LABELS_MAX);
      const [total, list, ...counts] = await Promise.all([
        prometheus.instantVector(totalQuery(here), undefined, signal),
        by ? prometheus.instantVector(countQuery(here, by, VALUES_MAX), undefined, signal) : Promise.resolve([]),
        ...open.map((n) => prometheus.instantVector(valuesQuery(here, n), undefined, signal)),
      ]);
      setLevel({ total: total[0]?.value ?? 0, labels: open.map((name, i) => ({ name, values: counts[i]?.[0]?.value ?? 0 })).sort((a, b) => b.values - a.values) });
      setValues(list.map((s) => ({ value: s.metric[by] ?? "", series: s.value })));
      setError("");
    } catch (e) {
      if (!isAbort(e)) setError(messageOf(e));
    }
  }));

  return (
    <section class="card" id="cardinality">
      <header><h2>Cardinality</h2><Show when={level()}><span class="muted">{formatValue(level()!.total, "locale")} series</span></Show></header>
      <nav class="focus" aria-label="Focus">
        <button class="chip" onClick={() => goTo([])}>all series</button>
        <For each={path()}>{(f, i) => <><span class="muted">›</span><button class="chip" onClick={() => goTo(path().slice(0, i() + 1))}><b>{f.name}</b>={f.value}</button></>}</For>
        <Show when={path().length > 0}><a class="muted" href={`/query?g0.expr=${encodeURIComponent(selectorOf(path()))}&g0.tab=1`}>Open as a query</a></Show>
      </nav>
      <Show when={error()}><ErrorState message={error()} /></Show>
      <Show when={level()} fallback={<Show when={!error()}><Loading what="series counts" /></Show>}>
        <div class="two-columns">
          <div class="table-scroll tall">
            <table class="data-table bars">
              <thead><tr><th scope="col">Label</th><th scope="col" class="num">Values</th></tr></thead>
              <tbody>
                <For each={level()!.labels}>
                  {(l) => <tr classList={{ chosen: l.name === label() }}><td class="mono"><span class="bar" style={{ width: barWidth(l.values, level()!.labels[0]?.values ?? 0) }} /><button class="linkish" onClick={() => setQuery({ by: l.name }, { push: true })}>{l.name}</button></td><td class="num">{formatValue(l.values, "locale")}</td></tr>}
                </For>
              </tbody>
            </table>
          </div>
          <Show when={label()} fallback={<p class="muted pad">Choose a label to see its values.</p>}>
            <div class="table-scroll tall">
              <table class="data-table bars">
                <thead><tr><th scope="col">{label()}</th><th scope="col" class="num">Series</th></tr></thead>
                <tbody>
                  <For each={values()}>
                    {(v) => <tr><td class="mono"><span class="bar" style={{ width: barWidth(v.series, values()[0]?.series ?? 0) }} /><button class="linkish" onClick={() => goTo([...path(), { name: label(), value: v.value }])}>{v.value || "(none)"}</button></td><td class="num">{formatValue(v.series, "locale")}</td></tr>}
                  </For>
                </tbody>
              </table>
            </div>
          </Show>
        </div>
      </Show>
    </section>
  );
}
