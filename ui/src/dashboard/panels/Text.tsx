import { createMemo, Show } from "solid-js";
import { interpolate } from "../../lib/variables";
import { Markdown } from "../../ui/Markdown";
import type { PanelProps } from "./props";

export default function Text(props: PanelProps) {
  const content = createMemo(() => interpolate(String(props.panel.options.content ?? ""), props.scope, "text"));
  return (
    <div class="text-panel">
      <Show when={props.panel.options.mode === "code"} fallback={<Markdown text={props.panel.options.mode === "html" ? htmlToText(content()) : content()} />}>
        <pre>{content()}</pre>
      </Show>
    </div>
  );
}

// HTML panels are shown as their text: the page never executes markup that came with a file.
function htmlToText(html: string): string {
  const parsed = new DOMParser().parseFromString(html.replace(/<br\s*\/?>|<\/(p|div|li|h\d)>/gi, "\n$&"), "text/html");
  parsed.querySelectorAll("script,style").forEach((e) => e.remove());
  return (parsed.body.textContent ?? "").trim();
}
