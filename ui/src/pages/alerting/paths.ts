// The alerting pages live under two roofs: on their own port, and among the dashboards.
import { bases } from "../../api/base";
import { dashboards, service } from "../../app/service";

/** A page of this area; `path` as on the alert manager's own port. */
export function alertingPath(path: string): string {
  if (service !== "grafana") return path;
  return path === "/alerts" ? "/alerting" : `/alerting${path}`;
}

/** Where the pages for metrics, logs and traces are, seen from here; null where nobody said. */
export const appPrefix: string | null = bases.metrics !== null && bases.logs !== null ? "" : dashboards;
