// Finds the data source that a query means. Files name it in five ways: an object with a uid, a variable,
// a plain name, nothing at all, or one of the built-in pseudo sources.
import type { Datasource } from "../api/grafana";
import { interpolate, type Scope } from "../lib/variables";
import type { DatasourceRef } from "./model";

export type Resolved = { uid: string; type: string } | { error: string };

export function resolveDatasource(refs: DatasourceRef[], all: Datasource[], scope: Scope): Resolved {
  for (const ref of refs) {
    if (ref === null || ref === undefined || ref === "") continue;
    const raw = typeof ref === "string" ? ref : (ref.uid ?? "");
    if (raw === "-- Mixed --" || raw === "mixed") continue;
    const name = interpolate(raw, scope);
    if (name === "-- Dashboard --" || name === "-- Grafana --" || name === "grafana") return { error: `Queries on the built-in data source "${name}" are not supported.` };
    const type = typeof ref === "object" ? ref.type : undefined;
    if (name === "" || name === "default") return fallback(all, type);
    const exact = all.find((d) => d.uid === name) ?? all.find((d) => d.name === name);
    if (exact) return exact;
    // `${DS_PROMETHEUS}` of an exported file that was never imported: its type still tells which one is meant.
    const byType = type ? all.filter((d) => d.type === type) : [];
    const inferred = /prometheus/i.test(name) ? "prometheus" : /loki/i.test(name) ? "loki" : undefined;
    const found = byType[0] ?? (inferred ? all.find((d) => d.type === inferred) : undefined);
    if (found) return found;
    return { error: `Data source "${name}" was not found.` };
  }
  return fallback(all, undefined);
}

function fallback(all: Datasource[], type: string | undefined): Resolved {
  const found = (type && all.find((d) => d.type === type)) || all.find((d) => d.isDefault) || all.find((d) => d.type === "prometheus");
  return found ?? { error: "There is no data source." };
}
