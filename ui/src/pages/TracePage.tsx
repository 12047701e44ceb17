import { createMemo, createResource, createSignal, For, Show } from "solid-js";
import "./traces.css";
import * as jaeger from "../api/jaeger";
import { messageOf } from "../api/http";
import { theme } from "../app/theme";
import { colorForName } from "../lib/colors";
import { formatDateTime, formatDuration } from "../lib/time";
import { spanTree, summarize, visibleSpans, type SpanNode } from "../lib/trace";
import { Icon } from "../ui/Icon";
import { Badge, Empty, ErrorState, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";

/** Rows put into the page at once: a trace can have tens of thousands of spans. */
const PAGE = 500;

export default function TracePage(props: { params: Record<string, string> }) {
  const [loaded] = createResource(
    () => props.params.id,
    (id) => jaeger.trace(id).then((trace) => ({ trace, error: "" }), (e) => ({ trace: undefined, error: messageOf(e) })),
  );
  return (
    <div class="page">
      <Show when={loaded()} fallback={<><PageHeader title="Trace" /><Loading what="trace" /></>}>
        <Show when={loaded()!.trace} fallback={<><PageHeader title="Trace" /><Show when={loaded()!.error} fallback={<Empty title="This trace is not stored." />}><ErrorState message={loaded()!.error} /></Show></>}>
          <Timeline trace={loaded()!.trace!} />
        </Show>
      </Show>
    </div>
  );
}

function Timeline(props: { trace: jaeger.Trace }) {
  const summary = createMemo(() => summarize(props.trace));
  const roots = createMemo(() => spanTree(props.trace));
  const [collapsed, setCollapsed] = createSignal<ReadonlySet<string>>(new Set());
  const [open, setOpen] = createSignal<ReadonlySet<string>>(new Set());
  const [limit, setLimit] = createSignal(PAGE);
  const [find, setFind] = createSignal("");
  const rows = createMemo(() => visibleSpans(roots(), collapsed()));
  const toggle = (set: ReadonlySet<string>, id: string) => {
    const next = new Set(set);
    if (!next.delete(id)) next.add(id);
    return next;
  };
  const matches = (n: SpanNode) => {
    const needle = find().toLowerCase();
    return needle !== "" && `${n.service} ${n.span.operationName} ${n.span.spanID} ${(n.span.tags ?? []).map((t) => `${t.key}=${String(t.value)}`).join(" ")}`.toLowerCase().includes(needle);
  };
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const depth = () => Math.max(0, ...rows().map((r) => r.depth)) + 1;
  return (
    <>
      <PageHeader title={`${summary().rootService}: ${summary().root}`} detail={<span class="mono muted">{summary().id}</span>}>
        <input class="search" type="search" placeholder="Find in trace" aria-label="Find in trace" value={find()} onInput={(e) => setFind(e.currentTarget.value)} />
        <button class="button" onClick={() => setCollapsed(collapsed().size ? new Set<string>() : new Set(rows().filter((r) => r.children.length && r.depth > 0).map((r) => r.span.spanID)))}>{collapsed().size ? "Expand all" : "Collapse"}</button>
      </PageHeader>
      <p class="trace-facts">
        <span>{formatDateTime(summary().start / 1000)}</span><span><b>{formatDuration(summary().duration / 1000)}</b></span><span>{summary().spans} spans</span><span>{depth()} levels</span>
        <Show when={summary().errors}><Badge tone="bad">{summary().errors} {summary().errors === 1 ? "error" : "errors"}</Badge></Show>
        <For each={summary().services}>{(s) => <span class="chip"><i class="service-dot" style={{ background: colorForName(s.name, theme()) }} />{s.name} {s.count}</span>}</For>
      </p>
      <For each={props.trace.warnings ?? []}>{(w) => <p class="note">{w}</p>}</For>
      <div class="timeline card" role="treegrid" aria-label="Spans">
        <div class="span-row head" role="row">
          <span class="span-name" role="columnheader">Service and operation</span>
          <span class="span-lane" role="columnheader" aria-label="Time"><For each={ticks}>{(t) => <span class="tick" style={{ left: `${t * 100}%` }}><span>{t === 0 ? "0" : formatDuration((summary().duration * t) / 1000)}</span></span>}</For></span>
        </div>
        <For each={rows().slice(0, limit())}>
          {(n) => {
            const id = n.span.spanID;
            const color = () => colorForName(n.service, theme());
            const left = () => ((n.span.startTime - summary().start) / Math.max(1, summary().duration)) * 100;
            const width = () => (n.span.duration / Math.max(1, summary().duration)) * 100;
            // The duration stands after its bar, before it where there is no room, and inside when the bar fills the lane.
            const after = () => left() + width() <= 85;
            const inside = () => !after() && left() < 15;
            return (
              <>
                <div class="span-row" role="row" aria-level={n.depth + 1} classList={{ open: open().has(id), found: matches(n) }}>
                  <span class="span-name" role="gridcell" style={{ "padding-left": `${6 + Math.min(n.depth, 24) * 14}px` }}>
                    <Show when={n.children.length} fallback={<span class="span-leaf" />}>
                      <button class="span-toggle" aria-expanded={!collapsed().has(id)} aria-label={collapsed().has(id) ? "Expand children" : "Collapse children"} onClick={() => setCollapsed((c) => toggle(c, id))}><span class="chev" classList={{ open: !collapsed().has(id) }}><Icon name="chevron" size={12} /></span></button>
                    </Show>
                    <button class="span-open" aria-expanded={open().has(id)} onClick={() => setOpen((o) => toggle(o, id))} title={`${n.service}: ${n.span.operationName}`}>
                      <i class="service-bar" style={{ background: color() }} /><Show when={n.error}><span class="span-error" title="error"><Icon name="warning" size={12} /></span></Show><b>{n.service}</b> <span class="muted">{n.span.operationName}</span>
                    </button>
                  </span>
                  <button class="span-lane" role="gridcell" tabindex="-1" onClick={() => setOpen((o) => toggle(o, id))} aria-label={`${formatDuration(n.span.duration / 1000)}, starts at ${formatDuration((n.span.startTime - summary().start) / 1000)}`}>
                    <For each={ticks.slice(1, -1)}>{(t) => <span class="tick" style={{ left: `${t * 100}%` }} />}</For>
                    <span class="span-bar" style={{ left: `${left()}%`, width: `max(2px, ${width()}%)`, background: color() }}><For each={n.span.logs ?? []}>{(l) => <i class="span-log" style={{ left: `${((l.timestamp - n.span.startTime) / Math.max(1, n.span.duration)) * 100}%` }} />}</For></span>
                    <span class="span-duration" classList={{ inside: inside() }} style={after() ? { left: `calc(${left() + width()}% + 5px)` } : inside() ? { right: `calc(${Math.max(0, 100 - left() - width())}% + 5px)` } : { right: `calc(${100 - left()}% + 5px)` }}>{formatDuration(n.span.duration / 1000)}</span>
                  </button>
                </div>
                <Show when={open().has(id)}><SpanDetail node={n} trace={props.trace} traceStart={summary().start} /></Show>
              </>
            );
          }}
        </For>
        <Show when={rows().length > limit()}><button class="button more" onClick={() => setLimit((l) => l + PAGE)}>Show {Math.min(PAGE, rows().length - limit())} more of {rows().length} spans</button></Show>
      </div>
    </>
  );
}

function SpanDetail(props: { node: SpanNode; trace: jaeger.Trace; traceStart: number }) {
  const s = props.node.span;
  const process = () => s.process ?? props.trace.processes[s.processID ?? ""];
  const links = () => (s.references ?? []).filter((r) => r.refType === "FOLLOWS_FROM" || r.traceID !== s.traceID);
  return (
    <div class="span-detail">
      <p class="muted"><span class="mono">{s.spanID}</span> · starts at {formatDuration((s.startTime - props.traceStart) / 1000)} · takes {formatDuration(s.duration / 1000)}</p>
      <For each={s.warnings ?? []}>{(w) => <p class="note">{w}</p>}</For>
      <div class="span-tables">
        <KeyValues title="Tags" items={s.tags ?? []} />
        <KeyValues title="Process" items={process()?.tags ?? []} />
      </div>
      <Show when={s.logs?.length}>
        <h3>Events</h3>
        <For each={s.logs}>{(l) => <div class="span-event"><span class="mono muted">{formatDuration((l.timestamp - props.traceStart) / 1000)}</span><span class="chips"><For each={l.fields}>{(f) => <span class="chip"><b>{f.key}</b>={String(f.value)}</span>}</For></span></div>}</For>
      </Show>
      <Show when={links().length}>
        <h3>Links</h3>
        <For each={links()}>{(r) => <p><a class="mono" href={`/trace/${r.traceID}`}>{r.traceID}</a> <span class="muted">{r.refType} {r.spanID}</span></p>}</For>
      </Show>
    </div>
  );
}

function KeyValues(props: { title: string; items: jaeger.KeyValue[] }) {
  return (
    <Show when={props.items.length}>
      <div>
        <h3>{props.title}</h3>
        <table class="kv"><tbody><For each={props.items}>{(t) => <tr><th scope="row">{t.key}</th><td class="mono">{typeof t.value === "string" ? t.value : JSON.stringify(t.value)}</td></tr>}</For></tbody></table>
      </div>
    </Show>
  );
}
