// Home: the host this runs on, at a glance.
import { createMemo, createSignal, For, onCleanup, Show, type JSX } from "solid-js";
import "../styles/vitals.css";
import "./home.css";
import * as alertmanager from "../api/alertmanager";
import { datasources, dsQuery, searchDashboards } from "../api/grafana";
import { theme } from "../app/theme";
import { Sparkline } from "../chart/Sparkline";
import { paletteColor, resolveColor } from "../lib/colors";
import { decodeFrame, numberFields, timeField, type Frame } from "../lib/frames";
import { reduce } from "../lib/reduce";
import { formatAgo, formatDuration } from "../lib/time";
import { formatValue } from "../lib/units";
import * as loki from "../api/loki";
import { LogList } from "../ui/LogList";
import { Badge, Empty, ErrorState } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

const WINDOW_MS = 15 * 60_000;
const POINTS = 120;
const REFRESH_MS = 10_000;
/** Right after a first start every scrape brings something new to see. */
const EAGER_REFRESH_MS = 2_000;
const EAGER_FOR_MS = 90_000;
/** A line of a few samples is stretched over at least this much time. */
const SHORTEST_WINDOW_MS = 2 * 60_000;

// Each figure prefers node_exporter's names and falls back on our own, which need no second scrape for a rate.
// Disks count as `df` does: blocks kept for root are neither used nor available.
const virtual = '"lo|veth.*|br-.*|docker.*|cni.*|flannel.*|ifb.*"';
const root = 'mountpoint="/"';
const history: Record<string, string> = {
  cpu: '100 * (1 - avg(rate(node_cpu_seconds_total{mode="idle"}[1m]))) or avg(cloudos_system_cpu_usage_percent)',
  memory: 'sum(node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes) or sum(cloudos_system_memory_usage_bytes{type="used"})',
  disk: `max(node_filesystem_size_bytes{${root}} - node_filesystem_free_bytes{${root}}) or max(cloudos_system_disk_usage_bytes{${root},type="used"})`,
  received: `sum(rate(node_network_receive_bytes_total{device!~${virtual}}[1m])) or sum(rate(cloudos_system_network_bytes_total{direction="rx",interface!~${virtual}}[1m]))`,
  sent: `sum(rate(node_network_transmit_bytes_total{device!~${virtual}}[1m])) or sum(rate(cloudos_system_network_bytes_total{direction="tx",interface!~${virtual}}[1m]))`,
  load: "max(node_load1)",
};
const now: Record<string, string> = {
  cores: 'count(count by (cpu) (node_cpu_seconds_total)) or count(cloudos_system_cpu_usage_percent)',
  memoryTotal: 'sum(node_memory_MemTotal_bytes) or sum(cloudos_system_memory_usage_bytes{type="total"})',
  diskFree: `max(node_filesystem_avail_bytes{${root}}) or max(cloudos_system_disk_usage_bytes{${root},type="free"})`,
  uptime: "max(node_time_seconds - node_boot_time_seconds)",
  uname: "node_uname_info",
  containers: "sum by (state) (cloudos_container_count)",
  up: "up",
};

/** The ten services, found by port in `instance` or by the name of their scrape job. */
const services: { name: string; port: string; jobs: string[]; page?: string }[] = [
  { name: "Prometheus", port: "9090", jobs: ["prometheus"] },
  { name: "Grafana", port: "3000", jobs: ["grafana"] },
  { name: "Alertmanager", port: "9093", jobs: ["alertmanager"] },
  { name: "Loki", port: "3100", jobs: ["loki"] },
  { name: "Jaeger", port: "16686", jobs: ["jaeger"] },
  { name: "Node Exporter", port: "9100", jobs: ["node", "node-exporter", "node_exporter"] },
  { name: "cAdvisor", port: "8080", jobs: ["cadvisor"] },
  { name: "Promtail", port: "9080", jobs: ["promtail"] },
  { name: "CloudOS Exporter", port: "9200", jobs: ["cloudos", "cloudos-exporter", "cloudos_exporter"] },
  { name: "Pushgateway", port: "9091", jobs: ["pushgateway"] },
];

async function load(): Promise<Map<string, Frame[]>> {
  const metrics = (await datasources()).find((d) => d.uid === "prometheus" || d.type === "prometheus");
  if (!metrics) throw new Error("There is no metrics data source.");
  const datasource = { uid: metrics.uid, type: metrics.type };
  const to = Date.now();
  const intervalMs = Math.round(WINDOW_MS / POINTS / 1000) * 1000;
  const queries = [
    ...Object.entries(history).map(([refId, expr]) => ({ refId, datasource, expr, range: true, instant: false, format: "time_series", intervalMs, maxDataPoints: POINTS })),
    ...Object.entries(now).map(([refId, expr]) => ({ refId, datasource, expr, range: false, instant: true, format: "time_series", intervalMs, maxDataPoints: 1 })),
  ];
  const results = await dsQuery({ from: String(to - WINDOW_MS), to: String(to), queries });
  const failed = Object.values(results).filter((r) => r.error);
  if (failed.length === queries.length) throw new Error(failed[0]!.error);
  return new Map(Object.entries(results).map(([id, r]) => [id, (r.frames ?? []).map((f) => decodeFrame(f, id))]));
}

export default function Home() {
  const opened = Date.now();
  const metrics = usePolled(load, (latest) => ((latest && settled(latest)) || Date.now() - opened > EAGER_FOR_MS ? REFRESH_MS : EAGER_REFRESH_MS));
  // Alerts of severity none are for machines: heartbeats, helpers of inhibition.
  const alerts = usePolled(async () => (await alertmanager.alerts({ active: true, silenced: false, inhibited: false })).filter((a) => a.labels.severity !== "none"), REFRESH_MS);
  const dashboards = usePolled(() => searchDashboards());
  const [clock, setClock] = createSignal(Date.now());
  const timer = window.setInterval(() => setClock(Date.now()), 1000);
  onCleanup(() => window.clearInterval(timer));

  const frames = (id: string) => metrics.data()?.get(id) ?? [];
  const line = (id: string): (number | null)[] => frames(id).flatMap((f) => numberFields(f).slice(0, 1))[0]?.values ?? [];
  const times = (id: string): number[] => frames(id).map(timeField)[0]?.values ?? [];
  const last = (id: string): number | null => {
    const v = reduce(line(id), "lastNotNull");
    return typeof v === "number" ? v : null;
  };
  const diskTotal = () => (last("disk") === null || last("diskFree") === null ? null : last("disk")! + last("diskFree")!);
  const waiting = () => (frames("up").length === 0 ? "waiting for the first scrape" : "waiting for the second scrape");
  const uname = () => frames("uname").flatMap(numberFields)[0]?.labels ?? {};
  const subtitle = () => [uname().nodename, uname().sysname && `${uname().sysname} ${uname().release}`, last("uptime") !== null && `up ${formatDuration(last("uptime")! * 1000)}`].filter(Boolean).join(" · ");

  return (
    <div class="page home">
      <PageHeader title="Home" detail={<span class="muted">{subtitle()}</span>} />
      <Show when={metrics.error()}><ErrorState message={metrics.error()!} onRetry={() => void metrics.reload()} /></Show>
      <div class="vitals">
        <Vital label="CPU" value={last("cpu")} unit="percent" decimals={1} detail={last("cores") ? `${last("cores")} cores · load ${formatValue(last("load") ?? 0, "none", 2)}` : ""} values={line("cpu")} times={times("cpu")} max={100} share={share(last("cpu"), 100)} color={paletteColor(0, theme())} loading={!metrics.data()} waiting={waiting()} />
        <Vital label="Memory" value={last("memory")} unit="bytes" detail={last("memoryTotal") ? `of ${formatValue(last("memoryTotal"), "bytes")}` : ""} values={line("memory")} times={times("memory")} min={0} max={last("memoryTotal") ?? undefined} share={share(last("memory"), last("memoryTotal"))} color={paletteColor(8, theme())} loading={!metrics.data()} waiting={waiting()} />
        <Vital label="Disk /" value={last("disk")} unit="bytes" detail={last("diskFree") !== null ? `${formatValue(last("diskFree"), "bytes")} available` : ""} values={line("disk")} times={times("disk")} min={0} max={diskTotal() ?? undefined} share={share(last("disk"), diskTotal())} color={paletteColor(1, theme())} loading={!metrics.data()} waiting={waiting()} />
        <Vital label="Network in" value={last("received")} unit="Bps" detail="received, all interfaces" values={line("received")} times={times("received")} min={0} color={paletteColor(2, theme())} loading={!metrics.data()} waiting={waiting()} />
        <Vital label="Network out" value={last("sent")} unit="Bps" detail="sent, all interfaces" values={line("sent")} times={times("sent")} min={0} color={paletteColor(7, theme())} loading={!metrics.data()} waiting={waiting()} />
      </div>
      <div class="home-columns">
        <section class="card">
          <header><h2>Services</h2><ServiceSummary frames={frames("up")} loaded={!!metrics.data()} /></header>
          <ServiceGrid frames={frames("up")} loaded={!!metrics.data()} />
        </section>
        <section class="card">
          <header><h2>Firing alerts</h2><a href="/alerting">All alerts</a></header>
          <Show when={alerts.error()}><ErrorState message={alerts.error()!} onRetry={() => void alerts.reload()} /></Show>
          <Show when={alerts.data()}>
            <Show when={alerts.data()!.length > 0} fallback={<p class="calm"><span class="dot ok" /> Nothing is firing.</p>}>
              <ul class="alert-brief">
                <For each={[...alerts.data()!].sort(bySeverity).slice(0, 8)}>
                  {(a) => (
                    <li>
                      <span class={`sev ${a.labels.severity ?? ""}`} title={a.labels.severity} />
                      <span class="what"><b>{a.labels.alertname}</b> <span class="muted">{a.annotations.summary ?? a.annotations.description ?? a.labels.instance ?? ""}</span></span>
                      <time class="muted">{formatAgo(Date.parse(a.startsAt), clock())}</time>
                    </li>
                  )}
                </For>
              </ul>
            </Show>
          </Show>
        </section>
        <section class="card">
          <header><h2>Dashboards</h2><a href="/dashboards">All dashboards</a></header>
          <Show when={dashboards.error()}><ErrorState message={dashboards.error()!} /></Show>
          <Show when={dashboards.data()}>
            <Show when={dashboards.data()!.length > 0} fallback={<Empty title="There are no dashboards yet." />}>
              <ul class="link-list tight"><For each={dashboards.data()!.slice(0, 10)}>{(d) => <li><a href={d.url || `/d/${d.uid}`}><span class="title">{d.title}</span></a></li>}</For></ul>
            </Show>
          </Show>
          <Containers frames={frames("containers")} />
        </section>
      </div>
      <RecentLogs />
    </div>
  );
}

/** Nothing is expected to appear any more: all figures are there, and every target was scraped. */
function settled(latest: Map<string, Frame[]>): boolean {
  const shown = (id: string) => (latest.get(id) ?? []).some((f) => f.length > 0);
  return Object.keys(history).every(shown) && healthOf(latest.get("up") ?? []).every((s) => s.state !== "unknown");
}

const share = (v: number | null, max: number | null): number | undefined => (v === null || !max ? undefined : v / max);
const severityOrder = ["critical", "error", "warning", "info"];
const bySeverity = (a: alertmanager.Alert, b: alertmanager.Alert) => rank(a) - rank(b) || b.startsAt.localeCompare(a.startsAt);
const rank = (a: alertmanager.Alert) => (severityOrder.indexOf(a.labels.severity ?? "") + severityOrder.length + 1) % (severityOrder.length + 1);

function Vital(props: { label: string; value: number | null; unit: string; decimals?: number; detail: string; values: (number | null)[]; times: number[]; min?: number; max?: number; share?: number; color: string; loading: boolean; waiting: string }) {
  // Young data fills the width as well; later the window slides.
  const end = () => props.times[props.times.length - 1] ?? 1;
  const span = () => Math.min(WINDOW_MS, Math.max(SHORTEST_WINDOW_MS, end() - (props.times[props.values.findIndex((v) => v !== null)] ?? end())));
  const tone = () => ((props.share ?? 0) >= 0.9 ? resolveColor("red", theme()) : (props.share ?? 0) >= 0.8 ? resolveColor("orange", theme()) : props.color);
  return (
    <section class="vital" aria-label={props.label}>
      <div class="vital-text">
        <h2>{props.label}<Show when={props.share !== undefined && props.unit !== "percent"}><span class="muted"> {Math.round(props.share! * 100)}%</span></Show></h2>
        <p class="vital-value">{props.value === null ? (props.loading ? "…" : "–") : formatValue(props.value, props.unit, props.decimals)}</p>
        <p class="muted vital-detail">{props.value === null && !props.loading ? props.waiting : props.detail}</p>
      </div>
      <div class="vital-spark"><Sparkline values={props.values} times={props.times} window={{ from: end() - span(), to: end() }} color={tone()} min={props.min ?? 0} max={props.max} label={`${props.label}, last ${Math.round(span() / 60_000)} minutes`} /></div>
    </section>
  );
}

function healthOf(frames: Frame[]) {
  const up = frames.flatMap(numberFields).map((f) => ({ labels: f.labels ?? {}, value: reduce(f.values, "lastNotNull") }));
  return services.map((s) => {
    const found = up.find((u) => u.labels.instance?.endsWith(`:${s.port}`)) ?? up.find((u) => s.jobs.includes(u.labels.job ?? ""));
    return { ...s, state: found === undefined ? "unknown" : found.value === 1 ? "up" : "down" };
  });
}

function ServiceSummary(props: { frames: Frame[]; loaded: boolean }): JSX.Element {
  const all = createMemo(() => healthOf(props.frames));
  const up = () => all().filter((s) => s.state === "up").length;
  return <Show when={props.loaded}><Badge tone={up() === all().length ? "ok" : all().some((s) => s.state === "down") ? "bad" : "quiet"}>{up()} of {all().length} up</Badge></Show>;
}

function ServiceGrid(props: { frames: Frame[]; loaded: boolean }) {
  const all = createMemo(() => healthOf(props.frames));
  const tone = (state: string) => (!props.loaded ? "quiet" : state === "up" ? "ok" : state === "down" ? "bad" : "quiet");
  return (
    <ul class="services">
      <For each={all()}>
        {(s) => (
          <li title={`${s.name} on port ${s.port}: ${s.state}`}>
            <span class={`dot ${tone(s.state)}`} /> <span class="name">{s.name}</span> <span class="port">{!props.loaded || s.state === "up" ? `:${s.port}` : s.state === "down" ? "down" : "–"}</span>
          </li>
        )}
      </For>
    </ul>
  );
}

/** The newest lines of every stream: proof of life for the logs. */
function RecentLogs() {
  const recent = usePolled(async () => {
    const to = Date.now();
    const label = (await loki.labels()).find((l) => ["job", "service_name", "filename"].includes(l));
    if (!label) return [];
    const answer = await loki.queryLogs(`{${label}=~".+"}`, to - 3_600_000, to, { limit: 12 });
    return answer.kind === "logs" ? answer.lines : [];
  }, REFRESH_MS);
  return (
    <section class="card recent">
      <header><h2>Latest log lines</h2><a href="/explore?mode=logs">All logs</a></header>
      <Show when={recent.error()}><ErrorState message={recent.error()!} onRetry={() => void recent.reload()} /></Show>
      <Show when={recent.data()}>
        <Show when={recent.data()!.length > 0} fallback={<p class="calm">No lines in the last hour.</p>}><LogList lines={recent.data()!} compact /></Show>
      </Show>
    </section>
  );
}

function Containers(props: { frames: Frame[] }) {
  const states = createMemo(() => props.frames.flatMap(numberFields).map((f) => ({ state: f.labels?.state ?? "all", n: Number(reduce(f.values, "lastNotNull") ?? 0) })).filter((s) => s.n > 0));
  return (
    <Show when={states().length > 0}>
      <p class="containers muted">Containers: <For each={states()}>{(s, i) => <>{i() > 0 ? ", " : ""}<b>{s.n}</b> {s.state}</>}</For></p>
    </Show>
  );
}
