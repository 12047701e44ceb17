// A dashboard: loads the file, keeps variables, time and refresh in the URL, and lays out the panels.
import { createEffect, createMemo, createResource, createSignal, For, Match, on, onCleanup, Show, Switch, untrack } from "solid-js";
import "./dashboard.css";
import { dashboard as fetchDashboard, datasources as fetchDatasources } from "../api/grafana";
import { messageOf } from "../api/http";
import { location, setQuery } from "../app/router";
import type { Range } from "../lib/time";
import type { Scope } from "../lib/variables";
import { ErrorState, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { TimePicker } from "../ui/TimePicker";
import { useTimeRange } from "../ui/useTimeRange";
import { layout } from "./layout";
import { readDashboard } from "./migrate";
import type { Dashboard, Panel } from "./model";
import { PanelFrame } from "./PanelFrame";
import { RowHeader } from "./RowHeader";
import { createRunner } from "./runner";
import { shaperFor, type Shaper } from "./shape";
import { VariableBar } from "./VariableBar";
import { loadVariables, type Selection, type Variable } from "./variables";
import type { Datasource } from "../api/grafana";

export default function DashboardPage(props: { params: Record<string, string> }) {
  const [loaded, { refetch }] = createResource(
    () => props.params.uid,
    async (uid) => {
      try {
        const [answer, datasources] = await Promise.all([fetchDashboard(uid), fetchDatasources()]);
        const dashboard = await readDashboard(answer.dashboard);
        const shape = needsShaping(dashboard.panels) ? await shaperFor(dashboard.panels) : undefined;
        return { dashboard: { ...dashboard, uid }, datasources, shape };
      } catch (e) {
        return { error: messageOf(e) };
      }
    },
  );
  const ready = () => {
    const l = loaded();
    return l && "dashboard" in l ? (l as Ready) : undefined;
  };
  const failed = () => {
    const l = loaded();
    return l && "error" in l ? l.error : undefined;
  };
  return (
    <Switch fallback={<Loading what="dashboard" />}>
      <Match when={failed()}><ErrorState message={failed()!} onRetry={() => void refetch()} /></Match>
      <Match when={ready()} keyed>{(r) => <DashboardView {...r} />}</Match>
    </Switch>
  );
}

interface Ready {
  dashboard: Dashboard;
  datasources: Datasource[];
  shape?: Shaper;
}

function needsShaping(panels: Panel[]): boolean {
  return panels.some((p) => (p.transformations?.length ?? 0) > 0 || p.targets.some((t) => t.format === "table") || needsShaping(p.panels ?? []));
}

function DashboardView(props: Ready) {
  const board = props.dashboard;
  const time = useTimeRange({ from: board.time.from, to: board.time.to, refresh: board.refresh });
  const [variables, setVariables] = createSignal<ReadonlyMap<string, Variable> | undefined>();
  const [collapsed, setCollapsed] = createSignal<ReadonlySet<number>>(new Set(board.panels.filter((p) => p.type === "row" && p.collapsed).map((p) => p.id)));
  const runner = createRunner(() => props.datasources);
  onCleanup(() => runner.stop());

  // Variables: from the URL at first, again when the URL or (for those that ask for it) the time range changes.
  const selection = createMemo((): Selection => Object.fromEntries(board.variables.map((v) => [v.name, location().query.has(`var-${v.name}`) ? location().query.getAll(`var-${v.name}`) : undefined])), undefined, {
    equals: (a, b) => JSON.stringify(a) === JSON.stringify(b),
  });
  const onTimeChange = board.variables.some((v) => v.refresh === 2 || v.type === "interval");
  let round = 0;
  createEffect(on([selection, () => (onTimeChange ? time.raw() : null)], async () => {
    const mine = ++round;
    const next = await loadVariables(board.variables, { range: untrack(time.range), datasources: props.datasources, selection: selection() });
    if (mine === round) setVariables(next);
  }));

  const scope = createMemo((): Scope => variables() ?? new Map());
  createEffect(() => {
    const range = time.range();
    if (variables()) runner.refresh({ range, scope: scope() });
  });

  const placed = createMemo(() => (variables() ? layout(board.panels, collapsed(), scope()) : []));
  // Frames are kept by panel id, so that a refresh never rebuilds a chart.
  const ids = createMemo(() => placed().map((p) => p.panel.id), [], { equals: (a, b) => a.length === b.length && a.every((v, i) => v === b[i]) });
  const byId = createMemo(() => new Map(placed().map((p) => [p.panel.id, p])));
  const zoom = (range: Range) => time.setRaw({ from: String(range.from), to: String(range.to) });
  const toggle = (id: number) => setCollapsed((s) => {
    const next = new Set(s);
    if (!next.delete(id)) next.add(id);
    return next;
  });

  return (
    <div class="dashboard">
      <PageHeader title={board.title} detail={<For each={board.tags}>{(t) => <span class="tag">{t}</span>}</For>}>
        <TimePicker {...time.controls(runner.busy)} />
      </PageHeader>
      <Show when={[...(variables()?.values() ?? [])].some((v) => v.model.hide !== 2)}>
        <VariableBar variables={variables()!} onChange={(name, values) => setQuery({ [`var-${name}`]: values }, { push: true })} />
      </Show>
      <Show when={variables()} fallback={<Loading what="variables" />}>
        <div class="grid">
          <For each={ids()}>
            {(id) => {
              // A panel that left the layout is about to be unmounted; its last place serves until then.
              let last = byId().get(id)!;
              const place = () => (last = byId().get(id) ?? last);
              const style = () => ({ "grid-column": `${place().pos.x + 1} / span ${place().pos.w}`, "grid-row": `${place().pos.y + 1} / span ${place().pos.h}` });
              return (
                <div class="cell" classList={{ "row-cell": place().panel.type === "row" }} style={style()}>
                  <Show
                    when={place().panel.type === "row"}
                    fallback={<PanelFrame panel={place().panel} runner={runner} shape={props.shape} scope={scope()} syncKey={`board-${board.uid}`} onZoom={zoom} />}
                  >
                    <RowHeader panel={place().panel} scope={scope()} collapsed={collapsed().has(id)} onToggle={() => toggle(id)} />
                  </Show>
                </div>
              );
            }}
          </For>
        </div>
      </Show>
    </div>
  );
}
