// Build, runtime, flags and configuration of the metrics service.
import { createSignal, For, Match, Show, Switch } from "solid-js";
import * as prometheus from "../api/prometheus";
import { href, location } from "../app/router";
import { ErrorState, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

const tabs = [{ label: "Runtime", path: "/status" }, { label: "Flags", path: "/flags" }, { label: "Configuration", path: "/config" }];

export default function Status() {
  const path = () => location().path;
  return (
    <div class="page">
      <PageHeader title="Status" detail={<span class="tabs"><For each={tabs}>{(t) => <a href={href(t.path)} classList={{ active: path() === t.path }} aria-current={path() === t.path ? "page" : undefined}>{t.label}</a>}</For></span>} />
      <Switch>
        <Match when={path() === "/flags"}><Facts load={prometheus.flags} filter="Filter flags" /></Match>
        <Match when={path() === "/config"}><Configuration /></Match>
        <Match when={true}>
          <Facts title="Runtime" load={prometheus.runtimeInfo} />
          <Facts title="Build" load={prometheus.buildInfo} />
        </Match>
      </Switch>
    </div>
  );
}

export function Facts(props: { title?: string; filter?: string; load: () => Promise<Record<string, unknown>> }) {
  const facts = usePolled(props.load);
  const [needle, setNeedle] = createSignal("");
  const shown = () => Object.entries(facts.data() ?? {}).filter(([k, v]) => (props.filter !== undefined || v !== "") && `${k} ${String(v)}`.toLowerCase().includes(needle().toLowerCase()));
  return (
    <section class="list-section">
      <Show when={props.title}><h2>{props.title}</h2></Show>
      <Show when={props.filter}><p><input class="search" type="search" placeholder={props.filter} aria-label={props.filter} value={needle()} onInput={(e) => setNeedle(e.currentTarget.value)} /></p></Show>
      <Show when={facts.error()}><ErrorState message={facts.error()!} onRetry={() => void facts.reload()} /></Show>
      <Show when={facts.data()} fallback={<Show when={!facts.error()}><Loading /></Show>}>
        <table class="data-table facts"><tbody><For each={shown()}>{([k, v]) => <tr><th scope="row">{k}</th><td class="mono">{typeof v === "object" ? JSON.stringify(v) : String(v)}</td></tr>}</For></tbody></table>
      </Show>
    </section>
  );
}

function Configuration() {
  const config = usePolled(prometheus.config);
  return (
    <>
      <Show when={config.error()}><ErrorState message={config.error()!} onRetry={() => void config.reload()} /></Show>
      <Show when={config.data()} fallback={<Show when={!config.error()}><Loading /></Show>}><pre class="card code">{config.data()!.yaml}</pre></Show>
    </>
  );
}
