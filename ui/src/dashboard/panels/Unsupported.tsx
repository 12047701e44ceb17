import { For, Show } from "solid-js";
import { interpolate } from "../../lib/variables";
import { hasQuery } from "../queries";
import type { PanelProps } from "./props";

/** Says what is missing and still shows what the panel would have asked. */
export default function Unsupported(props: PanelProps) {
  const queries = () => props.panel.targets.filter(hasQuery);
  return (
    <div class="unsupported">
      <p>Panels of type <code>{props.panel.type}</code> are not supported yet.</p>
      <Show when={queries().length > 0}>
        <p class="muted">{queries().length === 1 ? "Its query:" : "Its queries:"}</p>
        <For each={queries()}>{(t) => <pre class="query-text">{interpolate(t.expr!, props.scope, "promql")}</pre>}</For>
      </Show>
    </div>
  );
}
