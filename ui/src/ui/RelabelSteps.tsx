// What each relabelling rule of a scrape pool makes of one target's labels, rule by rule.
import { For, Show } from "solid-js";
import { relabelSteps } from "../api/prometheus";
import type { Labels } from "../lib/legend";
import { labelChanges, ruleText } from "../lib/relabel";
import { Badge, ErrorState, Loading } from "./States";
import { usePolled } from "./usePolled";

export function RelabelSteps(props: { pool: string; labels: Labels }) {
  const steps = usePolled(() => relabelSteps(props.pool, props.labels));
  const before = (i: number) => (i === 0 ? props.labels : steps.data()!.steps[i - 1]!.output);
  return (
    <div class="relabel">
      <Show when={steps.error()}><ErrorState message={steps.error()!} onRetry={() => void steps.reload()} /></Show>
      <Show when={steps.data()} fallback={<Show when={!steps.error()}><Loading what="relabelling steps" /></Show>}>
        <Show when={steps.data()!.steps.length > 0} fallback={<p class="muted">This pool has no relabelling rules: labels stay as discovered.</p>}>
          <ol>
            <For each={steps.data()!.steps}>
              {(step, i) => (
                <li>
                  <code>{ruleText(step.rule)}</code>
                  <Show when={step.keep} fallback={<p><Badge tone="bad">dropped</Badge> this rule drops the target</p>}>
                    <For each={labelChanges(before(i()), step.output)} fallback={<p class="muted">changes nothing</p>}>
                      {(c) => <p class={`change ${c.kind}`}><b>{c.name}</b> <Show when={c.before !== undefined}><del>{c.before || '""'}</del></Show> <Show when={c.after !== undefined}><ins>{c.after}</ins></Show></p>}
                    </For>
                  </Show>
                </li>
              )}
            </For>
          </ol>
        </Show>
      </Show>
    </div>
  );
}
