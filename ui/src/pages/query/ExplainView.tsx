// How a query is made up: every node of its tree with the series it gives and the time it takes by itself.
import { createSignal, For, onCleanup, onMount, Show } from "solid-js";
import * as prometheus from "../../api/prometheus";
import { isAbort, messageOf } from "../../api/http";
import { children, isCountable, kind, text, title, type Node } from "../../lib/ast";
import { ErrorState, Loading } from "../../ui/States";
import type { ViewProps } from "./QueryPanel";
import { useQuery } from "./useQuery";

/** Label names listed below a node. */
const LABELS_SHOWN = 6;

export default function ExplainView(props: ViewProps) {
  const tree = useQuery(() => [props.state.expr, props.round] as const, ([expr]) => prometheus.parseQuery(expr));
  return (
    <>
      <Show when={tree.error()}><ErrorState message={tree.error()} /></Show>
      <Show when={tree.result()} keyed fallback={<Show when={!tree.error()}><Loading /></Show>}>
        {(root) => <section class="card explain"><ul><ExplainNode node={root} at={props.state.endMs} /></ul></section>}
      </Show>
    </>
  );
}

interface Found {
  series: number;
  tookMs: number;
  /** Labels by number of values, most first. */
  labels: [string, number][];
}

function ExplainNode(props: { node: Node; at?: number }) {
  const [found, setFound] = createSignal<Found | undefined>();
  const [error, setError] = createSignal("");
  const abort = new AbortController();
  onCleanup(() => abort.abort());
  onMount(async () => {
    // A range selector by itself would fetch all of its samples; its series are those of the plain selector.
    const node: Node = props.node.type === "matrixSelector" ? { ...props.node, type: "vectorSelector" } : props.node;
    if (!isCountable(node)) return;
    const started = performance.now();
    try {
      const { data } = await prometheus.queryInstant(text(node), props.at, abort.signal);
      const rows = data.resultType === "vector" || data.resultType === "matrix" ? data.result : [];
      const values = new Map<string, Set<string>>();
      for (const r of rows) for (const [k, v] of Object.entries(r.metric)) if (k !== "__name__") (values.get(k) ?? values.set(k, new Set()).get(k)!).add(v);
      setFound({ series: data.resultType === "scalar" ? 1 : rows.length, tookMs: performance.now() - started, labels: [...values].map(([k, v]): [string, number] => [k, v.size]).sort((a, b) => b[1] - a[1]) });
    } catch (e) {
      if (!isAbort(e)) setError(messageOf(e));
    }
  });
  return (
    <li>
      <div class="explain-node" classList={{ empty: found()?.series === 0 }}>
        <code>{title(props.node)}</code>
        <span class="muted">{kind(props.node)}</span>
        <Show when={found()}>{(f) => <span class="explain-found">{f().series.toLocaleString()} {f().series === 1 ? "result" : "results"} · {f().tookMs < 10 ? f().tookMs.toFixed(1) : Math.round(f().tookMs)} ms <span class="muted"><For each={f().labels.slice(0, LABELS_SHOWN)}>{([name, n]) => <> · {name}: {n}</>}</For></span></span>}</Show>
        <Show when={error()}><span class="problem">{error()}</span></Show>
      </div>
      <Show when={children(props.node).length > 0}><ul><For each={children(props.node)}>{(child) => <ExplainNode node={child} at={props.at} />}</For></ul></Show>
    </li>
  );
}
