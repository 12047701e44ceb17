// Runs a dashboard's queries: one request a refresh for everything that is on the screen.
//
// A generation is one resolved time range together with one set of variable values. Panels that scroll into
// view later are asked for the same generation, so all panels always show the same moment.
import { batch, createSignal, type Accessor } from "solid-js";
import type { Datasource, QueryResult } from "../api/grafana";
import { dsQuery } from "../api/grafana";
import { isAbort, messageOf } from "../api/http";
import { decodeFrame, type Frame } from "../lib/frames";
import type { Range } from "../lib/time";
import type { Scope } from "../lib/variables";
import type { Panel } from "./model";
import { hasQuery, panelQueries } from "./queries";

export interface PanelData {
  frames: Frame[];
  range: Range;
  intervalMs: number;
}

export interface PanelStatus {
  loading: boolean;
  error?: string;
}

export interface Generation {
  range: Range;
  scope: Scope;
}

interface Entry {
  panel: Panel;
  width: number;
  visible: boolean;
  generation: number;
  slot: PanelSlot;
  setData: (d: PanelData | undefined) => void;
  setStatus: (s: PanelStatus) => void;
}

/** What a panel reads. */
export interface PanelSlot {
  data: Accessor<PanelData | undefined>;
  status: Accessor<PanelStatus>;
}

/** Panels that come into view within this time share a request. */
const GATHER_MS = 25;

export function createRunner(datasources: () => Datasource[]) {
  const entries = new Map<number, Entry>();
  let generation = 0;
  let current: Generation | undefined;
  let gathering: number | undefined;
  let abort = new AbortController();
  const [inFlight, setInFlight] = createSignal(0);

  function register(panel: Panel): PanelSlot {
    const known = entries.get(panel.id);
    if (known) {
      known.panel = panel;
      return known.slot;
    }
    const [data, setData] = createSignal<PanelData | undefined>(undefined, { equals: false });
    const [status, setStatus] = createSignal<PanelStatus>({ loading: panel.targets.some((t) => !t.hide && hasQuery(t)) });
    const slot = { data, status };
    entries.set(panel.id, { panel, width: 0, visible: false, generation: 0, slot, setData, setStatus });
    return slot;
  }

  function unregister(id: number): void {
    entries.delete(id);
  }

  function setVisible(id: number, visible: boolean, width: number): void {
    const entry = entries.get(id);
    if (!entry) return;
    entry.visible = visible;
    if (width > 0) entry.width = width;
    if (visible && entry.generation !== generation) schedule();
  }

  /** Starts a generation: everything visible is asked for again. */
  function refresh(next: Generation): void {
    abort.abort();
    abort = new AbortController();
    current = next;
    generation++;
    schedule();
  }

  function schedule(): void {
    gathering ??= window.setTimeout(() => {
      gathering = undefined;
      void run();
    }, GATHER_MS);
  }

  async function run(): Promise<void> {
    if (!current) return;
    const { range, scope } = current;
    const wanted = [...entries.values()].filter((e) => e.visible && e.generation !== generation);
    const asked: { entry: Entry; refIds: string[]; range: Range; intervalMs: number }[] = [];
    const queries: Record<string, unknown>[] = [];
    batch(() => {
      for (const entry of wanted) {
        entry.generation = generation;
        const built = panelQueries(entry.panel, entry.width, range, scope, datasources());
        if (built.error) entry.setStatus({ loading: false, error: built.error });
        else if (built.queries.length === 0) {
          entry.setStatus({ loading: false });
          entry.setData({ frames: [], range: built.range, intervalMs: built.intervalMs });
        } else {
          entry.setStatus({ ...entry.slot.status(), loading: true });
          queries.push(...built.queries);
          asked.push({ entry, refIds: built.queries.map((q) => String(q.refId)), range: built.range, intervalMs: built.intervalMs });
        }
      }
    });
    if (queries.length === 0) return;
    const signal = abort.signal;
    setInFlight((n) => n + 1);
    try {
      const results = await dsQuery({ from: String(range.from), to: String(range.to), queries }, signal);
      batch(() => {
        for (const a of asked) deliver(a.entry, a.refIds.map((id) => [id, results[id]] as const), a.range, a.intervalMs);
      });
    } catch (e) {
      // An aborted request is followed by the one that replaced it.
      if (isAbort(e)) return;
      batch(() => {
        for (const a of asked) a.entry.setStatus({ loading: false, error: messageOf(e) });
      });
    } finally {
      setInFlight((n) => n - 1);
    }
  }

  function deliver(entry: Entry, results: (readonly [string, QueryResult | undefined])[], range: Range, intervalMs: number): void {
    const errors = results.flatMap(([id, r]) => (r === undefined ? [`The server did not answer query ${shortRef(id)}.`] : r.error ? [r.error] : []));
    const frames = results.flatMap(([id, r]) => (r?.frames ?? []).map((f) => decodeFrame(f, shortRef(id))));
    entry.setStatus({ loading: false, error: errors.length ? [...new Set(errors)].join("\n") : undefined });
    entry.setData({ frames, range, intervalMs });
  }

  return { register, unregister, setVisible, refresh, busy: () => inFlight() > 0, stop: () => abort.abort() };
}

export type Runner = ReturnType<typeof createRunner>;

const shortRef = (id: string): string => id.slice(id.indexOf("/") + 1);
