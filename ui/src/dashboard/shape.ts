// From query results to what the panel shows: table-format queries become tables, then the panel's
// transformations run.
import type { Frame } from "../lib/frames";
import type { Panel } from "./model";
import { common, seriesToTable, transform, type Transformed } from "./transform";

export type Shaper = (panel: Panel, frames: Frame[]) => Transformed;

/** A shaper for these panels, with the rarer transformations only when one of them is used. */
export async function shaperFor(panels: Panel[]): Promise<Shaper> {
  const rare = usedSteps(panels).some((id) => !(id in common));
  const more = rare ? (await import("./transformMore")).more : {};
  return (panel, frames) => {
    const tables = panel.targets.filter((t) => !t.hide && t.format === "table");
    const shaped = tables.length === 0 ? frames : panel.targets.flatMap((t) => {
      const own = frames.filter((f) => f.refId === t.refId);
      return t.format === "table" && own.length > 0 ? seriesToTable(own, t.refId, tables.length > 1, t.legendFormat) : own;
    });
    return transform(shaped, panel.transformations, more);
  };
}

function usedSteps(panels: Panel[]): string[] {
  return panels.flatMap((p) => [...(p.transformations ?? []).map((t) => t.id), ...usedSteps(p.panels ?? [])]);
}
