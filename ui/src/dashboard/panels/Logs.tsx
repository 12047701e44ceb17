import { createMemo } from "solid-js";
import { logLine, type LogLine } from "../../api/loki";
import type { Frame } from "../../lib/frames";
import { LogList } from "../../ui/LogList";
import type { PanelProps } from "./props";

export default function Logs(props: PanelProps) {
  const lines = createMemo(() => {
    const all = props.frames.flatMap(linesOf);
    const ascending = props.panel.options.sortOrder === "Ascending";
    return all.sort((a, b) => (ascending ? a.ms - b.ms : b.ms - a.ms));
  });
  return <LogList lines={lines()} wrap={!!props.panel.options.wrapLogMessage} showTime={props.panel.options.showTime !== false} compact />;
}

/** Log frames carry time, line, nanosecond id and labels, under the names of either version of the format. */
function linesOf(frame: Frame): LogLine[] {
  const named = (...names: string[]) => frame.fields.find((f) => names.includes(f.name));
  const time = named("timestamp", "Time", "tsNs") ?? frame.fields.find((f) => f.type === "time");
  const body = named("body", "Line", "line") ?? frame.fields.find((f) => f.type === "string");
  const labels = named("labels");
  const ns = named("tsNs");
  if (!time || !body) return [];
  return body.values.map((line, i) => {
    const ms = Number(time.values[i]);
    const own = labels?.values[i] ?? body.labels ?? {};
    return logLine(ns ? String(ns.values[i]) : `${ms}000000`, String(line), own);
  });
}
