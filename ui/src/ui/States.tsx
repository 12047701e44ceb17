// Waiting, nothing there, went wrong: every page says which of them it is and why.
import { createSignal, onCleanup, Show, type JSX } from "solid-js";
import { Icon } from "./Icon";

/** Shows nothing for a moment, so that fast answers do not flicker; then how long it has taken. */
export function Loading(props: { what?: string }) {
  const started = Date.now();
  const [seconds, setSeconds] = createSignal(0);
  const timer = window.setInterval(() => setSeconds((Date.now() - started) / 1000), 250);
  onCleanup(() => window.clearInterval(timer));
  return (
    <div class="state loading" role="status">
      <Show when={seconds() >= 0.25}>
        <span class="spinner" aria-hidden="true" /> Loading{props.what ? ` ${props.what}` : ""}{seconds() >= 2 ? ` · ${Math.floor(seconds())} s` : ""}
      </Show>
    </div>
  );
}

export function Empty(props: { title: string; children?: JSX.Element }) {
  return (
    <div class="state empty">
      <p class="state-title">{props.title}</p>
      <Show when={props.children}><div class="state-more">{props.children}</div></Show>
    </div>
  );
}

export function ErrorState(props: { message: string; onRetry?: () => void }) {
  return (
    <div class="state error" role="alert">
      <Icon name="warning" />
      <pre>{props.message}</pre>
      <Show when={props.onRetry}><button class="button" onClick={() => props.onRetry!()}>Try again</button></Show>
    </div>
  );
}

export function Badge(props: { tone: "ok" | "warn" | "bad" | "info" | "quiet"; children: JSX.Element }) {
  return <span class={`badge ${props.tone}`}>{props.children}</span>;
}

/** Labels as `name=value` chips. */
export function LabelChips(props: { labels: Record<string, string>; skip?: string[]; onPick?: (name: string, value: string) => void }) {
  const pairs = () => Object.entries(props.labels).filter(([k]) => !props.skip?.includes(k)).sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    <span class="chips">
      {pairs().map(([k, v]) =>
        props.onPick ? (
          <button class="chip" title={`Filter by ${k}="${v}"`} onClick={() => props.onPick!(k, v)}><b>{k}</b>={v}</button>
        ) : (
          <span class="chip"><b>{k}</b>={v}</span>
        ),
      )}
    </span>
  );
}
