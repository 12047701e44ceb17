// Silences by state, as a person looks for them: what is in force, what comes, what was.
import { createMemo, createSignal, For, Show } from "solid-js";
import "./alerting.css";
import { expireSilence, silences, type Silence } from "../../api/alertmanager";
import { messageOf } from "../../api/http";
import { href, location, setQuery } from "../../app/router";
import { formatMatcher, parseMatchers } from "../../lib/matchers";
import { formatAgo, formatDateTime } from "../../lib/time";
import { AlertTabs } from "../../ui/AlertTabs";
import { Badge, Empty, ErrorState, Loading } from "../../ui/States";
import { PageHeader } from "../../ui/PageHeader";
import { usePolled } from "../../ui/usePolled";
import { alertingPath } from "./paths";

const POLL_MS = 15_000;
type State = "active" | "pending" | "expired";
const states: State[] = ["active", "pending", "expired"];
export const stateTone = { active: "info", pending: "warn", expired: "quiet" } as const;

export default function Silences() {
  const list = usePolled(() => silences(filters()), POLL_MS);
  function filters() {
    return (parseMatchers(location().query.get("filter") ?? "") ?? []).map(formatMatcher);
  }
  const tab = (): State => (states.find((s) => s === location().query.get("state")) ?? "active");
  const [needle, setNeedle] = createSignal("");
  const [problem, setProblem] = createSignal("");
  const of = (state: State) => (list.data() ?? []).filter((s) => s.status?.state === state);
  const shown = createMemo(() => of(tab()).filter((s) => !needle() || `${s.matchers.map(formatMatcher).join(" ")} ${s.comment} ${s.createdBy} ${s.id}`.toLowerCase().includes(needle().toLowerCase())));
  const expire = async (s: Silence) => {
    setProblem("");
    try {
      await expireSilence(s.id);
    } catch (e) {
      setProblem(messageOf(e));
    }
    await list.reload();
  };
  return (
    <div class="page">
      <PageHeader title="Silences" detail={<AlertTabs />}>
        <span class="tabs" role="tablist">
          <For each={states}>{(s) => <button role="tab" aria-selected={tab() === s} classList={{ active: tab() === s }} onClick={() => setQuery({ state: s === "active" ? undefined : s })}>{s[0]!.toUpperCase() + s.slice(1)} <span class="muted">{list.data() ? of(s).length : ""}</span></button>}</For>
        </span>
        <input class="search" type="search" placeholder="Filter silences" aria-label="Filter silences" value={needle()} onInput={(e) => setNeedle(e.currentTarget.value)} />
        <a class="button primary" href={href(alertingPath("/silences/new"))}>New silence</a>
      </PageHeader>
      <Show when={problem()}><p class="problem" role="alert">{problem()}</p></Show>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="silences" /></Show>}>
        <Show when={shown().length > 0} fallback={<Empty title={needle() ? "No silence matches." : tab() === "active" ? "Nothing is silenced." : `No ${tab()} silences.`}><Show when={tab() === "active" && !needle()}>A silence mutes alerts for a while, during maintenance for instance.</Show></Empty>}>
          <table class="data-table stacked">
            <thead><tr><th scope="col">State</th><th scope="col">Matchers</th><th scope="col">Comment</th><th scope="col">By</th><th scope="col">{tab() === "pending" ? "Starts" : tab() === "active" ? "Ends" : "Ended"}</th><th scope="col"><span class="sr">Actions</span></th></tr></thead>
            <tbody>
              <For each={shown()}>
                {(s) => (
                  <tr>
                    <td><Badge tone={stateTone[tab()]}>{tab()}</Badge></td>
                    <td><a class="chips plain" href={href(alertingPath(`/silences/${s.id}`))}><For each={s.matchers}>{(m) => <span class="chip">{formatMatcher(m)}</span>}</For></a></td>
                    <td>{s.comment}</td>
                    <td>{s.createdBy}</td>
                    <td><When iso={tab() === "pending" ? s.startsAt : s.endsAt} /></td>
                    <td class="num actions">
                      <a class="button small" href={href(alertingPath(`/silences/edit/${s.id}`))}>{tab() === "expired" ? "Recreate" : "Edit"}</a>
                      <Show when={tab() !== "expired"}> <button class="button small" onClick={() => void expire(s)}>Expire</button></Show>
                    </td>
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

export function When(props: { iso: string }) {
  return <time title={formatDateTime(Date.parse(props.iso))}>{formatAgo(Date.parse(props.iso))}</time>;
}
