// Where panels stand: repeats are expanded, collapsed rows hide their panels, gaps above close.
import type { VariableValue } from "../lib/variables";
import { expand } from "../lib/variables";
import type { GridPos, Panel } from "./model";

export interface Placed {
  panel: Panel;
  pos: GridPos;
}

const COLUMNS = 24;

/** Copies of a repeated panel get ids of their own, derived so that they are stable across refreshes. */
const COPY_ID_BASE = 100_000;

/**
 * Panels in drawing order with their final grid position. `collapsed` holds the ids of rows that are closed now.
 */
export function layout(panels: Panel[], collapsed: ReadonlySet<number>, scope: ReadonlyMap<string, VariableValue>): Placed[] {
  const flat = flatten(panels, collapsed, scope).sort((a, b) => a.pos.y - b.pos.y || a.pos.x - b.pos.x);
  // Compact upward: each panel rests on the highest panel already placed in its columns.
  const floor = new Array<number>(COLUMNS).fill(0);
  return flat.map(({ panel, pos }) => {
    const x = Math.min(Math.max(0, pos.x), COLUMNS - 1);
    const w = Math.min(Math.max(1, pos.w), COLUMNS - x);
    const y = Math.max(...floor.slice(x, x + w));
    floor.fill(y + pos.h, x, x + w);
    return { panel, pos: { x, y, w, h: pos.h } };
  });
}

function flatten(panels: Panel[], collapsed: ReadonlySet<number>, scope: ReadonlyMap<string, VariableValue>): Placed[] {
  const ordered = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  const out: Placed[] = [];
  let shift = 0;
  for (let i = 0; i < ordered.length; i++) {
    const panel = ordered[i]!;
    if (panel.type !== "row") {
      shift += place(out, panel, shift, scope);
      continue;
    }
    // A row saved closed holds its panels, with positions that may be stale; an open one is followed by them.
    const held = panel.collapsed ? settle(panel) : (panel.panels ?? []);
    const followers: Panel[] = [];
    while (!panel.collapsed && ordered[i + 1] && ordered[i + 1]!.type !== "row") followers.push(ordered[++i]!);
    const inside = [...held, ...followers];
    const height = Math.max(0, ...inside.map((p) => p.gridPos.y + p.gridPos.h - panel.gridPos.y - 1));
    const copies = copiesOf(panel, scope);
    copies.forEach((row, n) => {
      out.push({ panel: row, pos: { ...row.gridPos, x: 0, w: COLUMNS, y: row.gridPos.y + shift } });
      if (!collapsed.has(row.id)) {
        // What follows a row saved closed makes room for the panels that come out of it.
        const extra = followers.length === 0 && inside.length > 0 ? height : 0;
        for (const p of inside) shift += place(out, n === 0 ? p : { ...p, id: p.id + COPY_ID_BASE * n, scoped: { ...p.scoped, ...row.scoped } }, shift, scope, row.scoped);
        shift += extra;
      }
      if (n < copies.length - 1) shift += height + 1;
    });
  }
  return out;
}

/** The panels of a closed row, moved right under it. */
function settle(row: Panel): Panel[] {
  const panels = row.panels ?? [];
  const up = Math.min(...panels.map((p) => p.gridPos.y)) - row.gridPos.y - 1;
  return panels.map((p) => ({ ...p, gridPos: { ...p.gridPos, y: p.gridPos.y - up } }));
}

/** Puts a panel (and its repeated copies) down; returns by how much everything below moves. */
function place(out: Placed[], panel: Panel, shift: number, scope: ReadonlyMap<string, VariableValue>, scoped?: Record<string, string>): number {
  const base = scoped ? { ...panel, scoped: { ...panel.scoped, ...scoped } } : panel;
  const copies = copiesOf(base, scope);
  const { x, y, w, h } = panel.gridPos;
  if (copies.length <= 1) {
    out.push({ panel: copies[0] ?? base, pos: { x, y: y + shift, w, h } });
    return 0;
  }
  if (panel.repeatDirection === "v") {
    copies.forEach((copy, i) => out.push({ panel: copy, pos: { x, y: y + shift + i * h, w, h } }));
    return (copies.length - 1) * h;
  }
  const perRow = Math.min(copies.length, panel.maxPerRow ?? 4);
  const width = Math.floor(COLUMNS / perRow);
  copies.forEach((copy, i) => out.push({ panel: copy, pos: { x: (i % perRow) * width, y: y + shift + Math.floor(i / perRow) * h, w: width, h } }));
  return (Math.ceil(copies.length / perRow) - 1) * h;
}

function copiesOf(panel: Panel, scope: ReadonlyMap<string, VariableValue>): Panel[] {
  const variable = panel.repeat ? scope.get(panel.repeat) : undefined;
  if (!variable || panel.scoped?.[panel.repeat!] !== undefined) return [panel];
  const values = expand(variable);
  if (values.length === 0) return [panel];
  return values.map((value, i) => ({ ...panel, id: i === 0 ? panel.id : panel.id + COPY_ID_BASE * i, scoped: { ...panel.scoped, [panel.repeat!]: value } }));
}

/** The variable scope a panel sees: the dashboard's, with repeated variables pinned. */
export function panelScope(panel: Panel, scope: ReadonlyMap<string, VariableValue>): ReadonlyMap<string, VariableValue> {
  if (!panel.scoped) return scope;
  const pinned = new Map(scope);
  for (const [name, value] of Object.entries(panel.scoped)) pinned.set(name, { ...scope.get(name), value, text: value });
  return pinned;
}
