// What was told to whom: receivers with their last error, and every notification with its text and the answer to it.
import { createEffect, createMemo, For, on, Show } from "solid-js";
import "./alerting.css";
import { notifications, receiversAtWork, type SentNotification } from "../../api/alertmanager";
import { location, setQuery } from "../../app/router";
import { formatAgo, formatDateTime, formatDuration } from "../../lib/time";
import { AlertTabs } from "../../ui/AlertTabs";
import { Badge, Empty, ErrorState, LabelChips, Loading } from "../../ui/States";
import { PageHeader } from "../../ui/PageHeader";
import { usePolled } from "../../ui/usePolled";

const POLL_MS = 10_000;
const tones = { sent: "ok", failed: "bad", retrying: "warn" } as const;

export default function NotificationHistory() {
  const receiver = () => location().query.get("receiver") ?? "";
  const list = usePolled(() => notifications({ limit: 200, receiver: receiver() || undefined }), POLL_MS);
  const at = usePolled(receiversAtWork, POLL_MS);
  createEffect(on(receiver, () => void list.reload(), { defer: true }));
  const rows = createMemo(() => (at.data() ?? []).flatMap((r) => (r.integrations.length ? r.integrations.map((i) => ({ ...i, receiver: r.name })) : [{ receiver: r.name, kind: "", index: 0, sendResolved: false, lastAttempt: undefined, lastDurationMs: undefined, lastError: undefined }])));
  return (
    <div class="page">
      <PageHeader title="Notifications" detail={<AlertTabs />}>
        <select class="button" aria-label="Receiver" onChange={(e) => setQuery({ receiver: e.currentTarget.value })}>
          <option value="">All receivers</option>
          <For each={at.data() ?? []}>{(r) => <option value={r.name} selected={r.name === receiver()}>{r.name}</option>}</For>
        </select>
      </PageHeader>
      <Show when={at.error()}><ErrorState message={at.error()!} onRetry={() => void at.reload()} /></Show>
      <Show when={at.data()}>
        <table class="data-table stacked">
          <thead><tr><th scope="col">Receiver</th><th scope="col">By</th><th scope="col">Resolved too</th><th scope="col">Last tried</th><th scope="col">Result</th></tr></thead>
          <tbody>
            <For each={rows().filter((r) => !receiver() || r.receiver === receiver())}>
              {(r) => (
                <tr>
                  <td><b>{r.receiver}</b></td>
                  <td>{r.kind || <span class="muted">nobody is told</span>}</td>
                  <td>{r.kind ? (r.sendResolved ? "yes" : "no") : ""}</td>
                  <td>{r.lastAttempt ? <time title={formatDateTime(Date.parse(r.lastAttempt))}>{formatAgo(Date.parse(r.lastAttempt))}</time> : <span class="muted">not yet</span>}{r.lastAttempt && r.lastDurationMs != null ? ` in ${formatDuration(r.lastDurationMs)}` : ""}</td>
                  <td class="answer">{r.lastError ? <span class="bad-text">{r.lastError}</span> : r.lastAttempt ? <Badge tone="ok">ok</Badge> : ""}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </Show>
      <h2 class="section-title">History</h2>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="notifications" /></Show>}>
        <Show when={list.data()!.length} fallback={<Empty title="Nobody was told anything yet.">Notifications since the start of this server appear here, newest first.</Empty>}>
          <ul class="rules"><For each={list.data()}>{(n) => <Item n={n} />}</For></ul>
        </Show>
      </Show>
    </div>
  );
}

function Item(props: { n: SentNotification }) {
  const n = () => props.n;
  return (
    <li class="rule">
      <details>
        <summary>
          <Badge tone={tones[n().status]}>{n().status}</Badge>
          <b>{n().receiver}</b>
          <span class="muted">{n().integration}</span>
          <span class="rule-query"><LabelChips labels={n().groupLabels} /></span>
          <span class="muted">{[n().firing ? `${n().firing} firing` : "", n().resolved ? `${n().resolved} resolved` : ""].filter(Boolean).join(", ")}</span>
          <time class="muted" title={formatDateTime(Date.parse(n().at))}>{formatAgo(Date.parse(n().at))}</time>
        </summary>
        <div class="rule-detail">
          <p class="muted">{n().reason} · {n().attempts} {n().attempts === 1 ? "attempt" : "attempts"} in {formatDuration(n().durationMs)}</p>
          <Show when={n().error}><pre class="problem">{n().error}</pre></Show>
          <Show when={n().rendered} fallback={<p class="muted">The text was not made.</p>}><pre class="query-text sent-text">{pretty(n().rendered)}</pre></Show>
          <Show when={n().answer}><p class="annotation"><span class="muted">answer</span> <code>{n().answer}</code></p></Show>
        </div>
      </details>
      <Show when={n().status !== "sent" && n().error}><pre class="problem">{n().error}</pre></Show>
    </li>
  );
}

/** JSON with its structure to be seen; everything else as it was sent. */
export function pretty(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
