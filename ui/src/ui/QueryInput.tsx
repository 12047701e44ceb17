// The query line: grows with its text, completes metric names, labels and values, runs on Enter.
import { createEffect, createSignal, For, Show } from "solid-js";
import { completionAt, rank, type CompletionContext } from "../lib/complete";

export interface CompletionSource {
  metrics: () => Promise<readonly string[]>;
  labels: (metric?: string) => Promise<readonly string[]>;
  values: (label: string, metric?: string) => Promise<readonly string[]>;
  words: readonly string[];
  /** A few words beside a suggestion. */
  describe?: (option: string) => string | undefined;
}

const MAX_SUGGESTIONS = 12;

export function QueryInput(props: { value: string; onRun: (text: string) => void; source: CompletionSource; label: string; placeholder: string }) {
  const [text, setText] = createSignal(props.value);
  const [options, setOptions] = createSignal<string[]>([]);
  const [chosen, setChosen] = createSignal(-1);
  let context: CompletionContext | null = null;
  let area!: HTMLTextAreaElement;
  let round = 0;

  createEffect(() => setText(props.value));
  createEffect(() => {
    void text();
    queueMicrotask(() => {
      area.style.height = "auto";
      area.style.height = `${Math.min(area.scrollHeight, 200)}px`;
    });
  });

  async function suggest(): Promise<void> {
    const mine = ++round;
    context = completionAt(area.value, area.selectionStart);
    if (!context || (context.kind === "metric" && context.prefix.length < 1)) return close();
    const { kind, prefix, label, metric } = context;
    const found = await (kind === "metric" ? props.source.metrics().then((m) => [...props.source.words, ...m]) : kind === "label" ? props.source.labels(metric) : props.source.values(label!, metric)).catch(() => []);
    if (mine !== round) return;
    const best = rank(found, prefix, MAX_SUGGESTIONS);
    setOptions(best.length === 1 && best[0] === prefix ? [] : best);
    setChosen(-1);
  }

  function close(): void {
    round++;
    setOptions([]);
    setChosen(-1);
  }

  function accept(option: string): void {
    if (!context) return;
    const end = area.selectionStart;
    const tail = context.kind === "value" && area.value[end] !== '"' ? '"' : context.kind === "label" && unclosed(area.value.slice(0, end)) && area.value[end] !== "=" ? '="' : "";
    const next = area.value.slice(0, context.start) + option + tail + area.value.slice(end);
    const cursor = context.start + option.length + tail.length;
    setText(next);
    area.value = next;
    area.setSelectionRange(cursor, cursor);
    close();
    if (tail === '="') void suggest();
  }

  function keys(e: KeyboardEvent): void {
    if (options().length > 0) {
      if (e.key === "ArrowDown" || e.key === "ArrowUp") {
        e.preventDefault();
        const n = options().length;
        setChosen((c) => (c + (e.key === "ArrowDown" ? 1 : -1) + n + (c < 0 && e.key === "ArrowUp" ? 1 : 0)) % n);
        return;
      }
      if ((e.key === "Enter" && chosen() >= 0) || e.key === "Tab") {
        e.preventDefault();
        return accept(options()[Math.max(0, chosen())]!);
      }
      if (e.key === "Escape") return close();
    }
    if (e.key === "Enter" && !e.shiftKey) {
      e.preventDefault();
      close();
      props.onRun(text());
    }
  }

  return (
    <div class="query-input">
      <textarea
        ref={area}
        rows={1}
        class="mono"
        value={text()}
        placeholder={props.placeholder}
        aria-label={props.label}
        role="combobox"
        aria-expanded={options().length > 0}
        aria-autocomplete="list"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        onInput={(e) => {
          setText(e.currentTarget.value);
          void suggest();
        }}
        onKeyDown={keys}
        onBlur={() => window.setTimeout(close, 150)}
      />
      <button class="button primary" onClick={() => props.onRun(text())}>Run</button>
      <Show when={options().length > 0}>
        <div class="popover suggestions" role="listbox">
          <For each={options()}>
            {(o, i) => <button class="option mono" role="option" tabindex="-1" aria-selected={i() === chosen()} classList={{ active: i() === chosen() }} onMouseDown={(e) => (e.preventDefault(), accept(o))}>{o}<Show when={props.source.describe?.(o)}><span class="muted describe">{props.source.describe!(o)}</span></Show></button>}
          </For>
        </div>
      </Show>
    </div>
  );
}

const unclosed = (text: string): boolean => text.lastIndexOf("{") > text.lastIndexOf("}");
