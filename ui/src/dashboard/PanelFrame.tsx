// The frame of one panel: title, state, error, and the renderer of its type inside.
import { createMemo, createSignal, ErrorBoundary, lazy, Match, onCleanup, onMount, Show, Suspense, Switch, type Component } from "solid-js";
import type { Range } from "../lib/time";
import { interpolate, type Scope } from "../lib/variables";
import { Icon } from "../ui/Icon";
import { panelScope } from "./layout";
import type { Panel } from "./model";
import BarGauge from "./panels/BarGauge";
import Gauge from "./panels/Gauge";
import Stat from "./panels/Stat";
import Table from "./panels/Table";
import TimeSeries from "./panels/TimeSeries";
import type { PanelProps } from "./panels/props";
import { hasQuery } from "./queries";
import type { Runner } from "./runner";
import type { Shaper } from "./shape";

// The kinds that nearly every dashboard has come with the page (together they compress best); the others when a dashboard uses them.
const Text = lazy(() => import("./panels/Text"));
const Unsupported = lazy(() => import("./panels/Unsupported"));
const renderers: Record<string, Component<PanelProps>> = {
  timeseries: TimeSeries,
  stat: Stat,
  gauge: Gauge,
  bargauge: BarGauge,
  table: Table,
  logs: lazy(() => import("./panels/Logs")),
  text: Text,
};
/** Panels this far outside the window are already loaded, so that scrolling shows charts and not blanks. */
const LOOKAHEAD = "200px";

export function PanelFrame(props: { panel: Panel; runner: Runner; shape?: Shaper; scope: Scope; syncKey?: string; onZoom: (range: Range) => void }) {
  let host!: HTMLElement;
  const id = props.panel.id;
  const { data, status } = props.runner.register(props.panel);
  const [seen, setSeen] = createSignal(false);
  onMount(() => {
    const observer = new IntersectionObserver(
      ([entry]) => {
        const visible = !!entry?.isIntersecting;
        if (visible) setSeen(true);
        props.runner.setVisible(id, visible && Renderer !== Unsupported, host.clientWidth);
      },
      { rootMargin: LOOKAHEAD },
    );
    observer.observe(host);
    onCleanup(() => observer.disconnect());
  });
  onCleanup(() => props.runner.unregister(id));

  const scope = () => panelScope(props.panel, props.scope);
  // A frame keeps its panel, and a panel its type.
  const Renderer = renderers[props.panel.type] ?? Unsupported;
  const isStatic = Renderer === Text || Renderer === Unsupported;
  const shaped = createMemo(() => props.shape ? props.shape(props.panel, data()?.frames ?? []) : { frames: data()?.frames ?? [], unsupported: [] as string[] });
  const hasData = () => shaped().frames.some((f) => f.length > 0);
  const state = () => {
    if (isStatic) return "data";
    if (status().error && !hasData()) return "error";
    if (!data()) return "loading";
    if (hasData()) return "data";
    return status().loading ? "loading" : status().error ? "error" : "empty";
  };
  const title = () => interpolate(props.panel.title ?? "", scope(), "text");
  return (
    <section class="panel" classList={{ transparent: props.panel.transparent }} ref={host} data-panel-id={id} data-panel-type={props.panel.type} data-panel-state={state()} aria-label={title() || props.panel.type}>
      <Show when={title() || status().error || status().loading}>
        <header class="panel-head">
          <h2 title={title()}>{title()}</h2>
          <Show when={props.panel.description}><span class="panel-hint" tabindex="0" role="note" aria-label={props.panel.description} title={props.panel.description}><Icon name="info" size={13} /></span></Show>
          <Show when={shaped().unsupported.length > 0}><span class="panel-hint warn" title={`Transformations not supported: ${shaped().unsupported.join(", ")}`}><Icon name="warning" size={13} /></span></Show>
          <Show when={status().error && hasData()}><span class="panel-hint bad" title={status().error} role="alert" aria-label={status().error}><Icon name="warning" size={13} /></span></Show>
          <Show when={status().loading && data()}><span class="panel-busy" aria-hidden="true" /></Show>
        </header>
      </Show>
      <div class="panel-body">
        <ErrorBoundary fallback={(e) => <div class="panel-error" role="alert"><Icon name="warning" /><pre>This panel could not be drawn: {String(e?.message ?? e)}</pre></div>}>
          <Switch>
            <Match when={state() === "error"}><div class="panel-error" role="alert"><Icon name="warning" /><pre>{status().error}</pre></div></Match>
            <Match when={state() === "loading"}><div class="panel-loading" role="status" aria-label="Loading" /></Match>
            <Match when={state() === "empty"}><div class="panel-empty">{emptyText(props.panel)}</div></Match>
            <Match when={seen()}>
              <Suspense fallback={<div class="panel-loading" role="status" aria-label="Loading" />}>
              <Renderer
                panel={props.panel}
                frames={shaped().frames}
                range={data()?.range ?? { from: 0, to: 1 }}
                intervalMs={data()?.intervalMs ?? 0}
                scope={scope()}
                syncKey={props.syncKey}
                onZoom={props.onZoom}
              />
              </Suspense>
            </Match>
          </Switch>
        </ErrorBoundary>
      </div>
    </section>
  );
}

function emptyText(panel: Panel): string {
  return panel.fieldConfig.defaults?.noValue || (panel.targets.some((t) => !t.hide && hasQuery(t)) ? "No data in this time range" : "No query");
}
