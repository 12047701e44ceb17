import { createEffect, createMemo, createResource, createSignal, For, on, Show } from "solid-js";
import "./traces.css";
import * as jaeger from "../api/jaeger";
import { messageOf } from "../api/http";
import { location, navigate, setQuery } from "../app/router";
import { theme } from "../app/theme";
import { colorForName } from "../lib/colors";
import { formatAgo, formatDateTime, formatDuration } from "../lib/time";
import { parseTags, summarize, type TraceSummary } from "../lib/trace";
import { Badge, Empty, ErrorState, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";

const lookbacks: [string, string][] = [["5m", "5 minutes"], ["15m", "15 minutes"], ["1h", "1 hour"], ["3h", "3 hours"], ["6h", "6 hours"], ["12h", "12 hours"], ["24h", "24 hours"], ["2d", "2 days"], ["7d", "7 days"]];
const units: Record<string, number> = { m: 60e6, h: 3600e6, d: 86400e6 };
type Order = "newest" | "longest" | "most spans";

export default function Traces() {
  const q = (name: string) => location().query.get(name) ?? "";
  const [services, setServices] = createSignal<string[]>([]);
  const [servicesError, setServicesError] = createSignal("");
  const [servicesLoaded, setServicesLoaded] = createSignal(false);
  const [form, setForm] = createSignal({ service: q("service"), operation: q("operation"), tags: q("tags"), minDuration: q("minDuration"), maxDuration: q("maxDuration"), lookback: q("lookback") || "1h", limit: q("limit") || "20" });
  const [traces, setTraces] = createSignal<TraceSummary[] | undefined>();
  const [error, setError] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  const [order, setOrder] = createSignal<Order>("newest");
  const set = (name: string, value: string) => setForm((f) => ({ ...f, [name]: value }));

  jaeger.services().then(
    (s) => {
      setServices(s);
      setServicesLoaded(true);
      if (form().service || !s[0]) return;
      set("service", s.find((x) => !/jaeger/i.test(x)) ?? s[0]);
      // Who opens the page wants to see traces, not a form.
      setQuery(form());
    },
    (e) => setServicesError(messageOf(e)),
  );
  const [operations] = createResource(() => form().service || false, (s) => jaeger.operations(s).catch(() => []));

  let round = 0;
  createEffect(on(() => location().query.toString(), async () => {
    if (!q("service")) return;
    const mine = ++round;
    const tags = parseTags(q("tags"));
    if (!tags) return void setError('Tags are not readable. Write them as error=true http.method="GET".');
    setBusy(true);
    try {
      const m = /^(\d+)([mhd])$/.exec(q("lookback") || "1h");
      // A link from elsewhere may ask for a time of its own, in milliseconds.
      const asked = { start: Number(q("start")), end: Number(q("end")) };
      const end = (asked.end > 0 ? asked.end : Date.now()) * 1000;
      const found = await jaeger.searchTraces({
        service: q("service"),
        operation: q("operation"),
        tags: Object.keys(tags).length ? JSON.stringify(tags) : undefined,
        minDuration: q("minDuration"),
        maxDuration: q("maxDuration"),
        limit: q("limit") || "20",
        start: Math.round(asked.start > 0 ? asked.start * 1000 : end - (m ? Number(m[1]) * units[m[2]!]! : 3600e6)),
        end: Math.round(end),
      });
      if (mine !== round) return;
      setTraces(found.filter((t) => t.spans.length > 0).map(summarize));
      setError("");
    } catch (e) {
      if (mine === round) setError(messageOf(e));
    } finally {
      if (mine === round) setBusy(false);
    }
  }));

  const sorted = createMemo(() => {
    const by: Record<Order, (a: TraceSummary, b: TraceSummary) => number> = { newest: (a, b) => b.start - a.start, longest: (a, b) => b.duration - a.duration, "most spans": (a, b) => b.spans - a.spans };
    return [...(traces() ?? [])].sort(by[order()]);
  });
  const search = (e: Event) => {
    e.preventDefault();
    setQuery({ ...form(), start: undefined, end: undefined, t: String(Date.now()) }, { push: true });
  };
  const byId = (e: Event) => {
    e.preventDefault();
    const id = new FormData(e.currentTarget as HTMLFormElement).get("id")?.toString().trim();
    if (id) navigate(`/trace/${encodeURIComponent(id)}`);
  };

  return (
    <div class="page">
      <PageHeader title="Traces" detail={<Show when={traces()}><span class="muted">{traces()!.length} {traces()!.length === 1 ? "trace" : "traces"}</span></Show>}>
        <form onSubmit={byId}><input class="search mono" name="id" placeholder="Open by trace id" aria-label="Trace id" spellcheck={false} /></form>
      </PageHeader>
      <Show when={servicesError()}><ErrorState message={servicesError()} /></Show>
      <form class="card trace-search" onSubmit={search} aria-label="Search traces">
        <label>Service<select value={form().service} onChange={(e) => (set("service", e.currentTarget.value), set("operation", ""))}><For each={services()} fallback={<option value="">none yet</option>}>{(s) => <option value={s} selected={s === form().service}>{s}</option>}</For></select></label>
        <label>Operation<select value={form().operation} onChange={(e) => set("operation", e.currentTarget.value)}><option value="">all</option><For each={operations() ?? []}>{(o) => <option value={o} selected={o === form().operation}>{o}</option>}</For></select></label>
        <label class="grow">Tags<input class="mono" placeholder="error=true http.status_code=500" value={form().tags} onInput={(e) => set("tags", e.currentTarget.value)} spellcheck={false} /></label>
        <label>Min<input class="short" placeholder="1.2ms" value={form().minDuration} onInput={(e) => set("minDuration", e.currentTarget.value)} /></label>
        <label>Max<input class="short" placeholder="500ms" value={form().maxDuration} onInput={(e) => set("maxDuration", e.currentTarget.value)} /></label>
        <label>Lookback<select value={form().lookback} onChange={(e) => set("lookback", e.currentTarget.value)}><For each={lookbacks}>{([v, t]) => <option value={v}>{t}</option>}</For></select></label>
        <label>Limit<input class="short" type="number" min="1" max="1500" value={form().limit} onInput={(e) => set("limit", e.currentTarget.value)} /></label>
        <button class="button primary" type="submit" disabled={!form().service || busy()}>{busy() ? "Searching…" : "Find traces"}</button>
      </form>
      <Show when={error()}><ErrorState message={error()} /></Show>
      <Show when={traces() && !error()} fallback={<Show when={!error()}><Show when={busy()} fallback={<Show when={servicesLoaded()}><Empty title={services().length ? "Choose a service and search." : "No spans have arrived yet."}><Show when={!services().length}>Send OTLP to port 4317 (gRPC) or 4318 (HTTP).</Show></Empty></Show>}><Loading what="traces" /></Show></Show>}>
        <Show when={sorted().length > 0} fallback={<Empty title="No trace matches the search." />}>
          <Scatter traces={sorted()} />
          <div class="trace-order">
            <span class="muted">Order</span>
            <span class="tabs"><For each={["newest", "longest", "most spans"] as Order[]}>{(o) => <button classList={{ active: order() === o }} aria-pressed={order() === o} onClick={() => setOrder(o)}>{o}</button>}</For></span>
          </div>
          <ul class="trace-list"><For each={sorted()}>{(t) => <TraceItem trace={t} longest={Math.max(...sorted().map((x) => x.duration))} />}</For></ul>
        </Show>
      </Show>
    </div>
  );
}

function TraceItem(props: { trace: TraceSummary; longest: number }) {
  const t = props.trace;
  return (
    <li>
      <a class="trace-item" href={`/trace/${t.id}`}>
        <span class="trace-title"><i class="service-dot" style={{ background: colorForName(t.rootService, theme()) }} /><b>{t.rootService}</b> {t.root}</span>
        <Show when={t.errors > 0}><Badge tone="bad">{t.errors} {t.errors === 1 ? "error" : "errors"}</Badge></Show>
        <span class="trace-services"><For each={t.services}>{(s) => <span class="chip"><i class="service-dot" style={{ background: colorForName(s.name, theme()) }} />{s.name} {s.count}</span>}</For></span>
        <span class="trace-meta"><span class="mono muted">{t.id.slice(0, 8)}</span> <span class="muted">{t.spans} spans</span> <time class="muted" title={formatDateTime(t.start / 1000)}>{formatAgo(t.start / 1000)}</time></span>
        <span class="trace-duration"><span class="trace-bar"><span style={{ width: `${Math.max(1, (t.duration / props.longest) * 100)}%` }} /></span>{formatDuration(t.duration / 1000)}</span>
      </a>
    </li>
  );
}

/** Duration over time; the area of a dot grows with the number of spans. */
function Scatter(props: { traces: TraceSummary[] }) {
  const from = () => Math.min(...props.traces.map((t) => t.start));
  const to = () => Math.max(...props.traces.map((t) => t.start));
  const longest = () => Math.max(...props.traces.map((t) => t.duration), 1);
  const x = (t: TraceSummary) => 2 + ((t.start - from()) / Math.max(1, to() - from())) * 96;
  const y = (t: TraceSummary) => 90 - (t.duration / longest()) * 80;
  return (
    <div class="card scatter" role="img" aria-label={`Durations of ${props.traces.length} traces, up to ${formatDuration(longest() / 1000)}`}>
      <span class="scatter-max muted">{formatDuration(longest() / 1000)}</span>
      <For each={props.traces}>
        {(t) => {
          const size = `${Math.min(26, 7 + Math.sqrt(t.spans) * 2)}px`;
          return <a class="scatter-dot" classList={{ error: t.errors > 0 }} href={`/trace/${t.id}`} tabindex="-1" title={`${t.rootService} ${t.root} · ${formatDuration(t.duration / 1000)} · ${t.spans} spans`} style={{ left: `${x(t)}%`, top: `${y(t)}%`, width: size, height: size, background: t.errors > 0 ? undefined : colorForName(t.rootService, theme()) }} />;
        }}
      </For>
      <span class="scatter-from muted">{formatDateTime(from() / 1000)}</span>
      <span class="scatter-to muted">{formatDateTime(to() / 1000)}</span>
    </div>
  );
}
