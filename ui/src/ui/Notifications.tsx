// What the server wants people to know: a failed reload, a replay that is still going on.
import { For, Show } from "solid-js";
import { notifications } from "../api/prometheus";
import { usePolled } from "./usePolled";

const POLL_MS = 10_000;

export default function Notifications() {
  // A server without this endpoint has nothing to say; pages show their own errors.
  const list = usePolled(() => notifications().catch(() => []), POLL_MS);
  const active = () => (list.data() ?? []).filter((n) => n.active);
  return (
    <Show when={active().length > 0}>
      <div class="notifications" role="status"><For each={active()}>{(n) => <p class="note">{n.text} <span class="muted">{new Date(n.date).toLocaleTimeString()}</span></p>}</For></div>
    </Show>
  );
}
