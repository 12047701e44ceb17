// What to do when an alert fires: the pages of docs/runbooks, carried by the app itself so that they are at hand
// when the network is not.
import { createMemo, createSignal, For, Show } from "solid-js";
import "./runbooks.css";
import { href } from "../app/router";
import { Empty } from "../ui/States";
import { Markdown } from "../ui/Markdown";
import { PageHeader } from "../ui/PageHeader";

const pages = import.meta.glob<string>("../../../docs/runbooks/*.md", { query: "?raw", import: "default", eager: true });
const byName = new Map(Object.entries(pages).map(([path, text]) => [path.replace(/^.*\/|\.md$/g, ""), text] as const).filter(([name]) => name !== "README"));

export default function Runbooks(props: { params: Record<string, string> }) {
  return <Show when={props.params.name} fallback={<Index />} keyed>{(name) => <Runbook name={name} />}</Show>;
}

function Runbook(props: { name: string }) {
  const text = byName.get(props.name);
  return (
    <div class="page">
      <PageHeader title={props.name}><a class="button" href={href("/runbooks")}>All runbooks</a></PageHeader>
      <Show when={text} fallback={<Empty title="There is no runbook of this name.">Your own rules can name their own address in the annotation <code>runbook_url</code>.</Empty>}>
        <article class="card runbook"><Markdown text={text!.replace(/^# .*\n/, "")} /></article>
      </Show>
    </div>
  );
}

function Index() {
  const [needle, setNeedle] = createSignal("");
  const names = createMemo(() => [...byName.keys()].filter((n) => n.toLowerCase().includes(needle().toLowerCase())).sort());
  return (
    <div class="page">
      <PageHeader title="Runbooks" detail={<span class="muted">{byName.size} alerts</span>}>
        <input class="search" type="search" placeholder="Filter by name" aria-label="Filter by name" value={needle()} onInput={(e) => setNeedle(e.currentTarget.value)} />
      </PageHeader>
      <Show when={names().length} fallback={<Empty title="No runbook has such a name." />}>
        <ul class="runbook-list"><For each={names()}>{(n) => <li><a href={href(`/runbooks/${n}`)}>{n}</a></li>}</For></ul>
      </Show>
    </div>
  );
}
