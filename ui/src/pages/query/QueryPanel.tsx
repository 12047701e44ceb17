// One query: its line, its tools, its three views.
import { createSignal, For, lazy, Match, Show, Suspense, Switch } from "solid-js";
import * as prometheus from "../../api/prometheus";
import { messageOf } from "../../api/http";
import { history, remember } from "../../lib/history";
import type { PanelState, Tab } from "../../lib/panels";
import { Icon } from "../../ui/Icon";
import { metricCompletion } from "../../ui/metricCompletion";
import { QueryInput } from "../../ui/QueryInput";
import { ErrorState } from "../../ui/States";
import { GraphView } from "./GraphView";
import { TableView } from "./TableView";

const ExplainView = lazy(() => import("./ExplainView"));
const MetricsExplorer = lazy(() => import("./MetricsExplorer"));

const tabs: [Tab, string][] = [["table", "Table"], ["graph", "Graph"], ["explain", "Explain"]];

export interface ViewProps {
  state: PanelState;
  /** Counts up when the same query is run again. */
  round: number;
  onChange: (changes: Partial<PanelState>) => void;
}

export function QueryPanel(props: { state: PanelState; onChange: (changes: Partial<PanelState>) => void; onRemove?: () => void }) {
  const [round, setRound] = createSignal(0);
  const [problem, setProblem] = createSignal("");
  const [popup, setPopup] = createSignal<"history" | "metrics" | undefined>();
  const run = (expr: string) => {
    remember(expr);
    setProblem("");
    if (expr === props.state.expr) setRound((n) => n + 1);
    else props.onChange({ expr });
  };
  const format = () =>
    prometheus.formatQuery(props.state.expr).then((text) => (setProblem(""), text !== props.state.expr && props.onChange({ expr: text })), (e: unknown) => setProblem(messageOf(e)));
  const toggle = (which: "history" | "metrics") => setPopup(popup() === which ? undefined : which);
  const pick = (expr: string) => (setPopup(undefined), run(expr));
  return (
    <section class="query-panel">
      <QueryInput value={props.state.expr} onRun={run} source={metricCompletion} label="PromQL query" placeholder="Metric name or PromQL, for example  rate(node_cpu_seconds_total[1m])" />
      <div class="query-tools">
        <span class="tabs" role="tablist">
          <For each={tabs}>{([tab, label]) => <button role="tab" aria-selected={props.state.tab === tab} classList={{ active: props.state.tab === tab }} onClick={() => props.onChange({ tab })}>{label}</button>}</For>
        </span>
        <span class="query-menu">
          <button class="button small" disabled={!props.state.expr} onClick={() => void format()}>Format</button>
          <button class="button small" aria-expanded={popup() === "history"} onClick={() => toggle("history")}>History</button>
          <button class="button small" aria-expanded={popup() === "metrics"} onClick={() => toggle("metrics")}>Metrics</button>
          <Show when={props.onRemove}><button class="button small icononly" aria-label="Remove this query" title="Remove this query" onClick={() => props.onRemove!()}><Icon name="close" size={12} /></button></Show>
        </span>
      </div>
      <Show when={popup() === "history"}>
        <ul class="card history">
          <For each={history()} fallback={<li class="muted pad">Queries you run are remembered here, in this browser.</li>}>{(q) => <li><button class="option mono" onClick={() => pick(q)}>{q}</button></li>}</For>
        </ul>
      </Show>
      <Show when={popup() === "metrics"}><Suspense><MetricsExplorer onPick={pick} /></Suspense></Show>
      <Show when={problem()}><ErrorState message={problem()} /></Show>
      <Show when={props.state.expr.trim()} fallback={<p class="muted pad">Type a query and press Enter; Shift with Enter makes a new line.</p>}>
        <Suspense>
          <Switch>
            <Match when={props.state.tab === "table"}><TableView state={props.state} round={round()} onChange={props.onChange} /></Match>
            <Match when={props.state.tab === "graph"}><GraphView state={props.state} round={round()} onChange={props.onChange} /></Match>
            <Match when={props.state.tab === "explain"}><ExplainView state={props.state} round={round()} onChange={props.onChange} /></Match>
          </Switch>
        </Suspense>
      </Show>
    </section>
  );
}
