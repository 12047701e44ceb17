// The routing tree as the configuration says it, and the way one label set would take through it.
import { createEffect, createMemo, createSignal, For, on, Show } from "solid-js";
import "./alerting.css";
import { routeTree, testRoute, type RouteNode } from "../../api/alertmanager";
import { messageOf } from "../../api/http";
import { location, setQuery } from "../../app/router";
import { onTheWay, parseLabels, timing } from "../../lib/routing";
import { AlertTabs } from "../../ui/AlertTabs";
import { Badge, ErrorState, Loading } from "../../ui/States";
import { PageHeader } from "../../ui/PageHeader";
import { usePolled } from "../../ui/usePolled";

export default function Routing() {
  const tree = usePolled(routeTree, 60_000);
  const text = () => location().query.get("labels") ?? "";
  const labels = createMemo(() => parseLabels(text()));
  const [result, setResult] = createSignal<{ matched: string[]; receivers: string[] } | undefined>();
  const [problem, setProblem] = createSignal("");
  let round = 0;
  createEffect(on(text, async () => {
    const mine = ++round;
    setProblem("");
    const asked = labels();
    if (text() === "") return void setResult(undefined);
    if (!asked) return void setProblem('Labels are not readable. Write them as severity=critical, team="ai".');
    try {
      const answer = await testRoute(asked);
      if (mine === round) setResult(answer);
    } catch (e) {
      if (mine === round) setProblem(messageOf(e));
    }
  }));
  const way = createMemo(() => (tree.data() && result() ? onTheWay(tree.data()!, result()!.matched) : new Set<string>()));
  return (
    <div class="page">
      <PageHeader title="Routing" detail={<AlertTabs />}>
        <input class="search wide mono" type="search" placeholder="Try labels: severity=critical, team=ai" aria-label="Try a label set" aria-invalid={labels() === null} value={text()} onChange={(e) => setQuery({ labels: e.currentTarget.value })} />
      </PageHeader>
      <Show when={problem()}><p class="problem" role="alert">{problem()}</p></Show>
      <Show when={result()}><p class="route-result" role="status">Goes to <For each={result()!.receivers}>{(r, i) => <>{i() ? ", " : ""}<b>{r}</b></>}</For>.</p></Show>
      <Show when={tree.error()}><ErrorState message={tree.error()!} onRetry={() => void tree.reload()} /></Show>
      <Show when={tree.data()} fallback={<Show when={!tree.error()}><Loading what="routes" /></Show>}>
        <ul class="route-tree"><RouteItem node={tree.data()!} way={way()} ends={result()?.matched ?? []} /></ul>
      </Show>
    </div>
  );
}

function RouteItem(props: { node: RouteNode; parent?: RouteNode; way: Set<string>; ends: string[] }) {
  const n = () => props.node;
  return (
    <li>
      <div class="route" classList={{ passed: props.way.has(n().id), ends: props.ends.includes(n().id) }}>
        <span class="route-match"><Show when={n().matchers.length} fallback={<span class="muted">{props.parent ? "every alert" : "every alert starts here"}</span>}><span class="chips"><For each={n().matchers}>{(m) => <span class="chip">{m}</span>}</For></span></Show></span>
        <span class="route-to">→ <b>{n().receiver}</b></span>
        <Show when={n().continue}><Badge tone="info">continue</Badge></Show>
        <For each={n().muteTimeIntervals}>{(i) => <Badge tone="quiet">muted in {i}</Badge>}</For>
        <For each={n().activeTimeIntervals}>{(i) => <Badge tone="quiet">only in {i}</Badge>}</For>
        <span class="muted small">{[!props.parent || props.parent.groupBy.join() !== n().groupBy.join() ? `grouped by ${n().groupBy.join(", ") || "nothing"}` : "", ...timing(n(), props.parent)].filter(Boolean).join(" · ")}</span>
      </div>
      <Show when={n().routes.length}><ul><For each={n().routes}>{(child) => <RouteItem node={child} parent={n()} way={props.way} ends={props.ends} />}</For></ul></Show>
    </li>
  );
}
