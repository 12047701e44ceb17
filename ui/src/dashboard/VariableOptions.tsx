// The list behind a variable's button: a filter and the options, one or several of which can be on.
import { createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { ALL } from "../lib/variables";
import type { Variable } from "./variables";

/** Choices listed at once; typing narrows the list. */
const MAX_LISTED = 200;

export default function VariableOptions(props: { variable: Variable; anchor: HTMLElement; onPick: (values: string[]) => void; onClose: () => void }) {
  const v = () => props.variable;
  const before = [v().value].flat();
  const [filter, setFilter] = createSignal("");
  const [picked, setPicked] = createSignal<string[]>(before);
  let input!: HTMLInputElement;

  // Several values apply together, when the list closes: each click would otherwise query everything again.
  const close = () => {
    if (v().multi && JSON.stringify(picked()) !== JSON.stringify(before)) props.onPick(picked().length ? picked() : v().includeAll ? [ALL] : before);
    else props.onClose();
  };
  const away = (e: PointerEvent) => {
    if (!props.anchor.contains(e.target as Node)) close();
  };
  document.addEventListener("pointerdown", away);
  onCleanup(() => document.removeEventListener("pointerdown", away));
  onMount(() => input.focus());

  const choices = () => {
    const all = v().includeAll ? [{ text: "All", value: ALL }, ...v().choices] : v().choices;
    const needle = filter().toLowerCase();
    return needle ? all.filter((c) => c.text.toLowerCase().includes(needle)) : all;
  };
  const pick = (value: string) => {
    if (!v().multi) return props.onPick([value]);
    if (value === ALL) return setPicked([ALL]);
    const rest = picked().filter((p) => p !== ALL);
    setPicked(rest.includes(value) ? rest.filter((p) => p !== value) : [...rest, value]);
  };
  const keys = (e: KeyboardEvent) => {
    if (e.key === "Escape") close();
    if (e.key === "Enter" && e.target === input && choices()[0]) pick(choices()[0]!.value);
    if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
    e.preventDefault();
    const items = [...props.anchor.querySelectorAll<HTMLElement>(".option")];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[Math.max(0, Math.min(items.length - 1, at + (e.key === "ArrowDown" ? 1 : -1)))]?.focus();
  };
  return (
    <div class="popover picker-pop" onKeyDown={keys}>
      <input ref={input} placeholder="Filter" aria-label="Filter options" value={filter()} onInput={(e) => setFilter(e.currentTarget.value)} />
      <div role="listbox" aria-multiselectable={v().multi}>
        <For each={choices().slice(0, MAX_LISTED)} fallback={<p class="muted pad">Nothing matches.</p>}>
          {(c) => {
            const on = () => (v().multi ? picked().includes(c.value) : v().value === c.value);
            return (
              <button class="option" role="option" aria-selected={on()} onClick={() => pick(c.value)}>
                <Show when={v().multi}><span class="check" classList={{ on: on() }} /></Show>
                {c.text}
              </button>
            );
          }}
        </For>
        <Show when={choices().length > MAX_LISTED}><p class="muted pad">{choices().length - MAX_LISTED} more: type to narrow</p></Show>
      </div>
    </div>
  );
}
