import { createMemo, createSignal, For, Show } from "solid-js";
import { createSilence, expireSilence, silences, type Silence } from "../api/alertmanager";
import { messageOf } from "../api/http";
import { location, navigate } from "../app/router";
import { service } from "../app/service";
import { formatMatcher, parseMatchers } from "../lib/matchers";
import { formatAgo, formatDateTime, parseDuration } from "../lib/time";
import { AlertTabs } from "../ui/AlertTabs";
import { Badge, Empty, ErrorState, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { usePolled } from "../ui/usePolled";

const POLL_MS = 15_000;
const rank = { active: 0, pending: 1, expired: 2 };

export default function Silences() {
  const list = usePolled(silences, POLL_MS);
  const asked = () => location().query.get("filter") ?? "";
  const [creating, setCreating] = createSignal(asked() !== "" || location().path.endsWith("/new"));
  const [showExpired, setShowExpired] = createSignal(false);
  const [problem, setProblem] = createSignal("");
  const shown = createMemo(() =>
    (list.data() ?? []).filter((s) => showExpired() || s.status?.state !== "expired").sort((a, b) => rank[a.status?.state ?? "active"] - rank[b.status?.state ?? "active"] || b.endsAt.localeCompare(a.endsAt)),
  );
  const expire = async (s: Silence) => {
    setProblem("");
    try {
      await expireSilence(s.id);
    } catch (e) {
      setProblem(messageOf(e));
    }
    await list.reload();
  };
  const done = async () => {
    setCreating(false);
    if (asked()) navigate(service === "grafana" ? "/alerting/silences" : "/silences", { replace: true });
    await list.reload();
  };
  return (
    <div class="page">
      <PageHeader title={service === "grafana" ? "Alerts" : "Silences"} detail={<AlertTabs />}>
        <label class="toggle"><input type="checkbox" checked={showExpired()} onChange={(e) => setShowExpired(e.currentTarget.checked)} /> Show expired</label>
        <button class="button primary" onClick={() => setCreating(true)}>New silence</button>
      </PageHeader>
      <Show when={creating()}><SilenceForm filter={asked()} onDone={() => void done()} onCancel={() => void done()} /></Show>
      <Show when={problem()}><p class="problem" role="alert">{problem()}</p></Show>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="silences" /></Show>}>
        <Show when={shown().length > 0} fallback={<Empty title="No silences." />}>
          <table class="data-table">
            <thead><tr><th scope="col">State</th><th scope="col">Matchers</th><th scope="col">Comment</th><th scope="col">By</th><th scope="col">Ends</th><th scope="col"><span class="sr">Actions</span></th></tr></thead>
            <tbody>
              <For each={shown()}>
                {(s) => (
                  <tr>
                    <td><Badge tone={s.status?.state === "active" ? "info" : s.status?.state === "pending" ? "warn" : "quiet"}>{s.status?.state ?? "unknown"}</Badge></td>
                    <td><span class="chips"><For each={s.matchers}>{(m) => <span class="chip">{formatMatcher(m)}</span>}</For></span></td>
                    <td>{s.comment}</td>
                    <td>{s.createdBy}</td>
                    <td title={formatDateTime(Date.parse(s.endsAt))}>{formatAgo(Date.parse(s.endsAt))}</td>
                    <td class="num"><Show when={s.status?.state !== "expired"}><button class="button small" onClick={() => void expire(s)}>Expire</button></Show></td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </Show>
      </Show>
    </div>
  );
}

function SilenceForm(props: { filter: string; onDone: () => void; onCancel: () => void }) {
  const [matchers, setMatchers] = createSignal(props.filter.replace(/^\{|\}$/g, ""));
  const [duration, setDuration] = createSignal("2h");
  const [author, setAuthor] = createSignal("");
  const [comment, setComment] = createSignal("");
  const [problem, setProblem] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  const submit = async (e: Event) => {
    e.preventDefault();
    const parsed = parseMatchers(matchers());
    const length = parseDuration(duration());
    if (!parsed || parsed.length === 0) return setProblem('Write at least one matcher, such as alertname="HighCPUUsage".');
    if (!length) return setProblem("Write the duration as 30m, 2h or 1d.");
    setBusy(true);
    setProblem("");
    try {
      const start = Date.now();
      await createSilence({ matchers: parsed, startsAt: new Date(start).toISOString(), endsAt: new Date(start + length).toISOString(), createdBy: author(), comment: comment() });
      props.onDone();
    } catch (err) {
      setProblem(messageOf(err));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="card form" onSubmit={(e) => void submit(e)} aria-label="New silence">
      <label class="wide">Matchers<input class="mono" value={matchers()} onInput={(e) => setMatchers(e.currentTarget.value)} placeholder='alertname="HighCPUUsage", instance=~"web.*"' spellcheck={false} required /></label>
      <label>For<input value={duration()} onInput={(e) => setDuration(e.currentTarget.value)} required /></label>
      <label>By<input value={author()} onInput={(e) => setAuthor(e.currentTarget.value)} required /></label>
      <label class="wide">Comment<input value={comment()} onInput={(e) => setComment(e.currentTarget.value)} required /></label>
      <Show when={problem()}><p class="problem wide" role="alert">{problem()}</p></Show>
      <div class="form-actions wide"><button class="button primary" type="submit" disabled={busy()}>Silence</button><button class="button" type="button" onClick={() => props.onCancel()}>Cancel</button></div>
    </form>
  );
}
