// The row of variable pickers under the dashboard's title.
import { createSignal, For, lazy, Show, Suspense } from "solid-js";
import { isAll } from "../lib/variables";
import { Icon } from "../ui/Icon";
import type { Variable } from "./variables";

const VariableOptions = lazy(() => import("./VariableOptions"));

export function VariableBar(props: { variables: ReadonlyMap<string, Variable>; onChange: (name: string, values: string[]) => void }) {
  const shown = () => [...props.variables.values()].filter((v) => v.model.hide !== 2 && v.model.type !== "constant");
  return (
    <div class="variables" role="toolbar" aria-label="Variables">
      <For each={shown()}>
        {(v) => (
          <div class="variable" data-variable={v.model.name}>
            <Show when={v.model.hide !== 1}><span class="variable-name">{title(v)}</span></Show>
            <Show when={v.model.type === "textbox"} fallback={<Picker variable={v} onChange={(values) => props.onChange(v.model.name, values)} />}>
              <input aria-label={title(v)} value={String(v.value)} onChange={(e) => props.onChange(v.model.name, [e.currentTarget.value])} />
            </Show>
            <Show when={v.error}><span class="panel-hint bad" title={v.error} role="alert" aria-label={v.error}><Icon name="warning" size={13} /></span></Show>
          </div>
        )}
      </For>
    </div>
  );
}

const title = (v: Variable): string => v.model.label || v.model.name;

function Picker(props: { variable: Variable; onChange: (values: string[]) => void }) {
  const [open, setOpen] = createSignal(false);
  let box!: HTMLDivElement;
  const label = () => {
    const text = [props.variable.text].flat();
    if (isAll(props.variable.value)) return "All";
    return text.length > 2 ? `${text.slice(0, 2).join(", ")} +${text.length - 2}` : text.join(", ") || "None";
  };
  return (
    <div class="picker" ref={box}>
      <button class="button" aria-haspopup="listbox" aria-expanded={open()} aria-label={`${title(props.variable)}: ${label()}`} onClick={() => setOpen((o) => !o)}>
        <span class="picker-text">{label()}</span> <Icon name="down" size={12} />
      </button>
      <Show when={open()}>
        <Suspense>
          <VariableOptions
            variable={props.variable}
            anchor={box}
            onClose={() => setOpen(false)}
            onPick={(values) => {
              setOpen(false);
              props.onChange(values);
            }}
          />
        </Suspense>
      </Show>
    </div>
  );
}
