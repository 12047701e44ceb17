// The dialog behind the range button: free ends at the left, quick ranges at the right.
import { createSignal, For, onCleanup, Show } from "solid-js";
import { formatDateTime, quickRanges, resolveRange, type RawRange } from "../lib/time";

export default function TimeRangeDialog(props: { range: RawRange; anchor: HTMLElement; onRange: (range: RawRange) => void; onClose: () => void }) {
  const [from, setFrom] = createSignal(editable(props.range.from));
  const [to, setTo] = createSignal(editable(props.range.to));
  const [problem, setProblem] = createSignal("");

  const away = (e: Event) => {
    if (e instanceof KeyboardEvent ? e.key === "Escape" : !props.anchor.contains(e.target as Node)) props.onClose();
  };
  document.addEventListener("pointerdown", away);
  document.addEventListener("keydown", away);
  onCleanup(() => {
    document.removeEventListener("pointerdown", away);
    document.removeEventListener("keydown", away);
  });

  const apply = (e: Event) => {
    e.preventDefault();
    const range = { from: from().trim(), to: to().trim() };
    if (!resolveRange(range)) return setProblem("Use now-6h, now/d or 2026-01-31 12:00:00, with the start before the end.");
    props.onRange(absolute(range));
  };
  return (
    <div class="popover timepop" role="dialog" aria-label="Time range">
      <form onSubmit={apply}>
        <label>From<input value={from()} onInput={(e) => setFrom(e.currentTarget.value)} spellcheck={false} /></label>
        <label>To<input value={to()} onInput={(e) => setTo(e.currentTarget.value)} spellcheck={false} /></label>
        <Show when={problem()}><p class="problem" role="alert">{problem()}</p></Show>
        <button class="button primary" type="submit">Apply</button>
      </form>
      <ul>
        <For each={quickRanges}>
          {(q) => (
            <li><button classList={{ active: q.from === props.range.from && q.to === props.range.to }} onClick={() => props.onRange({ from: q.from, to: q.to })}>{q.label}</button></li>
          )}
        </For>
      </ul>
    </div>
  );
}

const editable = (end: string): string => (/^\d+$/.test(end) ? formatDateTime(Number(end)) : end);

/** Absolute ends go into the URL as milliseconds, relative ones as they were written. */
function absolute(range: RawRange): RawRange {
  const r = resolveRange(range)!;
  const end = (text: string, ms: number) => (text.startsWith("now") ? text : String(ms));
  return { from: end(range.from, r.from), to: end(range.to, r.to) };
}
