import { For, Show } from "solid-js";
import { status } from "../api/alertmanager";
import { formatAgo } from "../lib/time";
import { ErrorState, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

export default function AlertmanagerStatus() {
  const s = usePolled(status);
  return (
    <div class="page">
      <PageHeader title="Status" />
      <Show when={s.error()}><ErrorState message={s.error()!} onRetry={() => void s.reload()} /></Show>
      <Show when={s.data()} fallback={<Show when={!s.error()}><Loading /></Show>}>
        <table class="data-table facts">
          <tbody>
            <tr><th scope="row">Started</th><td>{formatAgo(Date.parse(s.data()!.uptime))}</td></tr>
            <tr><th scope="row">Cluster</th><td>{s.data()!.cluster.status}{s.data()!.cluster.name ? ` · ${s.data()!.cluster.name}` : ""}</td></tr>
            <For each={s.data()!.cluster.peers ?? []}>{(p) => <tr><th scope="row">Peer</th><td class="mono">{p.name} {p.address}</td></tr>}</For>
            <For each={Object.entries(s.data()!.versionInfo).filter(([, v]) => v !== "")}>{([k, v]) => <tr><th scope="row">{k}</th><td class="mono">{v}</td></tr>}</For>
          </tbody>
        </table>
        <h2 class="section-title">Configuration</h2>
        <pre class="card code">{s.data()!.config.original}</pre>
      </Show>
    </div>
  );
}
