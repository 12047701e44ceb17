// One silence: what it mutes right now, who made it and why.
import { createSignal, For, Show } from "solid-js";
import "./alerting.css";
import { alerts, expireSilence, silence } from "../../api/alertmanager";
import { messageOf } from "../../api/http";
import { href } from "../../app/router";
import { formatMatcher } from "../../lib/matchers";
import { affected } from "../../lib/silences";
import { formatDateTime } from "../../lib/time";
import { Badge, Empty, ErrorState, LabelChips, Loading } from "../../ui/States";
import { PageHeader } from "../../ui/PageHeader";
import { usePolled } from "../../ui/usePolled";
import { alertingPath } from "./paths";
import { stateTone, When } from "./Silences";

export default function SilencePage(props: { params: Record<string, string> }) {
  const it = usePolled(() => silence(props.params.id!), 15_000);
  const all = usePolled(() => alerts({ active: true, silenced: true, inhibited: true }), 15_000);
  const [problem, setProblem] = createSignal("");
  const state = () => it.data()?.status?.state ?? "active";
  const muted = () => (it.data() && state() === "active" ? affected(it.data()!.matchers, all.data() ?? []) : []);
  const expire = async () => {
    setProblem("");
    await expireSilence(props.params.id!).catch((e) => setProblem(messageOf(e)));
    await it.reload();
  };
  return (
    <div class="page">
      <PageHeader title="Silence" detail={<Badge tone={stateTone[state()]}>{state()}</Badge>}>
        <a class="button" href={href(alertingPath("/silences"))}>All silences</a>
        <a class="button" href={href(alertingPath(`/silences/edit/${props.params.id}`))}>{state() === "expired" ? "Recreate" : "Edit"}</a>
        <Show when={it.data() && state() !== "expired"}><button class="button" onClick={() => void expire()}>Expire now</button></Show>
      </PageHeader>
      <Show when={problem()}><p class="problem" role="alert">{problem()}</p></Show>
      <Show when={it.error()}><ErrorState message={it.error()!} onRetry={() => void it.reload()} /></Show>
      <Show when={it.data()} fallback={<Show when={!it.error()}><Loading what="the silence" /></Show>}>
        <table class="data-table facts">
          <tbody>
            <tr><th scope="row">Matchers</th><td><span class="chips"><For each={it.data()!.matchers}>{(m) => <span class="chip">{formatMatcher(m)}</span>}</For></span></td></tr>
            <tr><th scope="row">Comment</th><td>{it.data()!.comment}</td></tr>
            <tr><th scope="row">By</th><td>{it.data()!.createdBy}</td></tr>
            <tr><th scope="row">Starts</th><td>{formatDateTime(Date.parse(it.data()!.startsAt))} (<When iso={it.data()!.startsAt} />)</td></tr>
            <tr><th scope="row">Ends</th><td>{formatDateTime(Date.parse(it.data()!.endsAt))} (<When iso={it.data()!.endsAt} />)</td></tr>
            <tr><th scope="row">Id</th><td class="mono">{it.data()!.id}</td></tr>
          </tbody>
        </table>
        <h2 class="section-title">Muted now: {muted().length}</h2>
        <Show when={muted().length} fallback={<Empty title="It mutes no alert at the moment." />}>
          <ul class="alerts"><For each={muted()}>{(a) => <li class="alert" data-severity={a.labels.severity}><LabelChips labels={a.labels} /></li>}</For></ul>
        </Show>
      </Show>
    </div>
  );
}
