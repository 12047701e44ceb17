// Explore: one query, right away. Metrics or logs, whichever this port can reach.
import { createMemo, Match, Show, Switch } from "solid-js";
import "./explore.css";
import { bases } from "../api/base";
import { location, setQuery } from "../app/router";
import { service } from "../app/service";
import { PageHeader } from "../ui/PageHeader";
import { TimePicker } from "../ui/TimePicker";
import { useTimeRange } from "../ui/useTimeRange";
import { ExploreLogs } from "./ExploreLogs";
import { ExploreMetrics } from "./ExploreMetrics";
import { createSignal } from "solid-js";

export type Mode = "metrics" | "logs";

export default function Explore() {
  const time = useTimeRange({ from: "now-1h", to: "now" });
  const [busy, setBusy] = createSignal(false);
  const both = bases.metrics !== null && bases.logs !== null;
  const mode = createMemo((): Mode => (bases.metrics === null ? "logs" : bases.logs === null ? "metrics" : location().query.get("mode") === "logs" ? "logs" : "metrics"));
  // The original's own links (`/graph?g0.expr=…`) open as well.
  const expr = () => location().query.get("expr") ?? location().query.get("g0.expr") ?? "";
  const run = (text: string) => setQuery({ expr: text, "g0.expr": undefined }, { push: true });
  const title = service === "prometheus" ? "Query" : service === "loki" ? "Logs" : "Explore";
  return (
    <div class="page explore">
      <PageHeader
        title={title}
        detail={
          <Show when={both}>
            <span class="tabs" role="tablist">
              <button role="tab" aria-selected={mode() === "metrics"} classList={{ active: mode() === "metrics" }} onClick={() => setQuery({ mode: undefined, expr: undefined }, { push: true })}>Metrics</button>
              <button role="tab" aria-selected={mode() === "logs"} classList={{ active: mode() === "logs" }} onClick={() => setQuery({ mode: "logs", expr: undefined }, { push: true })}>Logs</button>
            </span>
          </Show>
        }
      >
        <TimePicker {...time.controls(busy)} />
      </PageHeader>
      <Switch>
        <Match when={mode() === "metrics"}><ExploreMetrics expr={expr()} onRun={run} time={time} onBusy={setBusy} /></Match>
        <Match when={mode() === "logs"}><ExploreLogs expr={expr()} onRun={run} time={time} onBusy={setBusy} /></Match>
      </Switch>
    </div>
  );
}
