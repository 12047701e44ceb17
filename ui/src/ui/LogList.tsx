// A list of log lines: time, level colour, line; a line opens to show its labels.
import { createSignal, For, Show } from "solid-js";
import type { LogLine } from "../api/loki";
import { formatClock, formatDateTime } from "../lib/time";

/** Lines put into the page at once; more follow on request. */
const PAGE = 300;

export function LogList(props: { lines: LogLine[]; wrap?: boolean; showTime?: boolean; compact?: boolean; onLabel?: (name: string, value: string) => void }) {
  const [limit, setLimit] = createSignal(PAGE);
  const sameDay = () => {
    const first = props.lines[0];
    const last = props.lines[props.lines.length - 1];
    return first !== undefined && new Date(first.ms).toDateString() === new Date(last!.ms).toDateString();
  };
  return (
    <div class="loglist" classList={{ wrap: props.wrap, compact: props.compact }}>
      <For each={props.lines.slice(0, limit())}>
        {(line) => {
          const [open, setOpen] = createSignal(false);
          return (
            <div class="logline" data-level={line.level}>
              <button class="logrow" aria-expanded={open()} onClick={() => setOpen(!open())}>
                <Show when={props.showTime !== false}><time>{sameDay() ? formatClock(line.ms, true) : formatDateTime(line.ms)}</time></Show>
                <span class="loglevel">{short(line.level)}</span>
                <span class="logtext">{line.line}</span>
              </button>
              <Show when={open()}>
                <table class="logdetail">
                  <tbody>
                    <tr><th scope="row">time</th><td>{formatDateTime(line.ms)}.{line.ns.slice(-9)}</td></tr>
                    <For each={Object.entries(line.labels).sort()}>
                      {([k, v]) => (
                        <tr>
                          <th scope="row">{k}</th>
                          <td><Show when={props.onLabel} fallback={v}><button class="linkish" onClick={() => props.onLabel!(k, v)}>{v}</button></Show></td>
                        </tr>
                      )}
                    </For>
                  </tbody>
                </table>
              </Show>
            </div>
          );
        }}
      </For>
      <Show when={props.lines.length > limit()}>
        <button class="button more" onClick={() => setLimit((n) => n + PAGE)}>Show {Math.min(PAGE, props.lines.length - limit())} more of {props.lines.length}</button>
      </Show>
    </div>
  );
}

const abbreviations: Record<string, string> = { critical: "crit", error: "error", warn: "warn", info: "info", debug: "debug", trace: "trace" };
const short = (level: string): string => abbreviations[level] ?? "";
