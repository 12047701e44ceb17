// Writing a silence: matchers row by row, with the alerts it would mute beside them at every keystroke.
import { createEffect, createMemo, createSignal, For, on, Show } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import "./alerting.css";
import { alerts, createSilence, silence } from "../../api/alertmanager";
import { messageOf } from "../../api/http";
import { href, location, navigate } from "../../app/router";
import { operatorOf, operators, parseMatchers, type Matcher } from "../../lib/matchers";
import { affected, draftOf, draftProblem, toField, type Draft } from "../../lib/silences";
import { formatDuration, parseDuration } from "../../lib/time";
import { Empty, ErrorState, LabelChips, Loading } from "../../ui/States";
import { PageHeader } from "../../ui/PageHeader";
import { usePolled } from "../../ui/usePolled";
import { alertingPath } from "./paths";

const POLL_MS = 30_000;
const AUTHOR_KEY = "alerting.author";
const lengths = ["30m", "2h", "8h", "1d", "7d"];
const fresh: Matcher = { name: "", value: "", isRegex: false, isEqual: true };

export default function SilenceEditor(props: { params: Record<string, string> }) {
  const now = Date.now();
  const asked = parseMatchers(location().query.get("filter") ?? "") ?? [];
  const [draft, setDraft] = createStore<Draft>({
    matchers: asked.length ? asked : [{ ...fresh }],
    startsAt: toField(now),
    endsAt: toField(now + 2 * 3_600_000),
    createdBy: localStorage.getItem(AUTHOR_KEY) ?? "",
    comment: location().query.get("comment") ?? "",
  });
  const [loading, setLoading] = createSignal(Boolean(props.params.id));
  const [missing, setMissing] = createSignal("");
  const [problem, setProblem] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  const all = usePolled(() => alerts({ active: true, silenced: true, inhibited: true }), POLL_MS);
  if (props.params.id) {
    silence(props.params.id).then((s) => setDraft(reconcile(draftOf(s, s.status?.state === "expired"))), (e) => setMissing(messageOf(e))).finally(() => setLoading(false));
  }
  const complete = createMemo(() => draft.matchers.filter((m) => m.name !== ""));
  const muted = createMemo(() => affected(complete(), all.data() ?? []));
  const names = createMemo(() => [...new Set((all.data() ?? []).flatMap((a) => Object.keys(a.labels)))].sort());
  const values = (name: string) => [...new Set((all.data() ?? []).map((a) => a.labels[name]).filter((v): v is string => Boolean(v)))].sort();
  const change = (i: number, to: Partial<Matcher>) => setDraft("matchers", i, to);
  const length = () => Date.parse(draft.endsAt) - Date.parse(draft.startsAt);
  createEffect(on(() => JSON.stringify(draft), () => setProblem(""), { defer: true }));

  const submit = async (e: Event) => {
    e.preventDefault();
    const wrong = draftProblem({ ...draft, matchers: draft.matchers.filter((m) => m.name !== "" || m.value !== "") });
    if (wrong) return setProblem(wrong);
    setBusy(true);
    try {
      const made = await createSilence({ ...draft, matchers: complete(), startsAt: new Date(draft.startsAt).toISOString(), endsAt: new Date(draft.endsAt).toISOString() });
      localStorage.setItem(AUTHOR_KEY, draft.createdBy);
      navigate(alertingPath(`/silences/${made.silenceID}`));
    } catch (err) {
      setProblem(messageOf(err));
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class="page">
      <PageHeader title={draft.id ? "Edit silence" : "New silence"} />
      <Show when={missing()}><ErrorState message={missing()} /></Show>
      <Show when={!loading()} fallback={<Loading what="the silence" />}>
        <form class="card silence-form" onSubmit={(e) => void submit(e)} aria-label={draft.id ? "Edit silence" : "New silence"}>
          <fieldset>
            <legend>Alerts with all of these labels</legend>
            <For each={draft.matchers}>
              {(m, i) => (
                <div class="matcher-row">
                  <input class="mono" aria-label={`Label ${i() + 1}`} placeholder="label" list="silence-names" value={m.name} onInput={(e) => change(i(), { name: e.currentTarget.value.trim() })} spellcheck={false} />
                  <select class="button" aria-label={`Operator ${i() + 1}`} onChange={(e) => change(i(), { isRegex: e.currentTarget.value.endsWith("~"), isEqual: !e.currentTarget.value.startsWith("!") })}>
                    <For each={operators}>{(o) => <option value={o} selected={o === operatorOf(m)}>{o}</option>}</For>
                  </select>
                  <input class="mono" aria-label={`Value ${i() + 1}`} placeholder="value" list={`silence-values-${i()}`} value={m.value} onInput={(e) => change(i(), { value: e.currentTarget.value })} spellcheck={false} />
                  <datalist id={`silence-values-${i()}`}><For each={values(m.name)}>{(v) => <option value={v} />}</For></datalist>
                  <button class="button icononly" type="button" aria-label={`Remove matcher ${i() + 1}`} disabled={draft.matchers.length === 1} onClick={() => setDraft("matchers", (list) => list.filter((_, at) => at !== i()))}>×</button>
                </div>
              )}
            </For>
            <datalist id="silence-names"><For each={names()}>{(n) => <option value={n} />}</For></datalist>
            <button class="button small" type="button" onClick={() => setDraft("matchers", draft.matchers.length, { ...fresh })}>Add matcher</button>
          </fieldset>
          <fieldset class="when">
            <legend>For how long</legend>
            <label>Start<input type="datetime-local" step="1" value={draft.startsAt} onInput={(e) => setDraft("startsAt", e.currentTarget.value)} required /></label>
            <label>End<input type="datetime-local" step="1" value={draft.endsAt} onInput={(e) => setDraft("endsAt", e.currentTarget.value)} required /></label>
            <span class="group"><For each={lengths}>{(l) => <button class="button small" type="button" classList={{ active: length() === parseDuration(l) }} onClick={() => setDraft("endsAt", toField(Date.parse(draft.startsAt) + parseDuration(l)!))}>{l}</button>}</For></span>
            <span class="muted">{length() > 0 ? formatDuration(length()) : ""}</span>
          </fieldset>
          <fieldset class="who">
            <legend>Who and why</legend>
            <label>By<input value={draft.createdBy} onInput={(e) => setDraft("createdBy", e.currentTarget.value)} autocomplete="username" /></label>
            <label class="wide">Comment<input value={draft.comment} onInput={(e) => setDraft("comment", e.currentTarget.value)} placeholder="Maintenance of …" /></label>
          </fieldset>
          <Show when={problem()}><p class="problem" role="alert">{problem()}</p></Show>
          <div class="form-actions">
            <button class="button primary" type="submit" disabled={busy()}>{draft.id ? "Save" : "Silence"}</button>
            <a class="button" href={href(alertingPath("/silences"))}>Cancel</a>
          </div>
        </form>
        <section class="list-section" aria-live="polite">
          <h2>{complete().length === 0 ? "Affected alerts" : `${muted().length} ${muted().length === 1 ? "alert" : "alerts"} affected now`}</h2>
          <Show when={muted().length > 0} fallback={<Empty title={complete().length === 0 ? "Write a matcher to see which alerts it covers." : "No alert of this moment matches. The silence would cover later ones."} />}>
            <ul class="alerts"><For each={muted().slice(0, 50)}>{(a) => <li class="alert" data-severity={a.labels.severity}><LabelChips labels={a.labels} /></li>}</For></ul>
            <Show when={muted().length > 50}><p class="muted">and {muted().length - 50} more</p></Show>
          </Show>
        </section>
      </Show>
    </div>
  );
}
