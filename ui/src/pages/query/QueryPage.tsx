// The query page: panels below each other, each with a query and a table, a graph or an explanation. All of it is in the URL.
import { createMemo, For } from "solid-js";
import "../explore.css";
import "./query.css";
import { location, setQuery } from "../../app/router";
import { emptyPanel, readPanels, writePanels, type PanelState } from "../../lib/panels";
import { PageHeader } from "../../ui/PageHeader";
import { QueryPanel } from "./QueryPanel";

export default function QueryPage() {
  const panels = createMemo(() => readPanels(location().query));
  const count = () => panels().length;
  function change(next: readonly PanelState[]): void {
    const stale = [...location().query.keys()].filter((k) => /^g\d+\./.test(k) || k === "expr");
    setQuery({ ...Object.fromEntries(stale.map((k) => [k, undefined])), ...writePanels(next) }, { push: true });
  }
  const without = (i: number) => change(panels().filter((_, k) => k !== i));
  const patch = (i: number, changes: Partial<PanelState>) => change(panels().map((p, k) => (k === i ? { ...p, ...changes } : p)));
  return (
    <div class="page explore query-page">
      <PageHeader title="Query" />
      {/* By position, so that a panel keeps its results while its neighbour changes. */}
      <For each={Array.from({ length: count() }, (_, i) => i)}>
        {(i) => <QueryPanel state={panels()[i] ?? emptyPanel()} onChange={(c) => patch(i, c)} onRemove={count() > 1 ? () => without(i) : undefined} />}
      </For>
      <button class="button" onClick={() => change([...panels(), { ...emptyPanel(), tab: panels().at(-1)?.tab ?? "table" }])}>Add query</button>
    </div>
  );
}
