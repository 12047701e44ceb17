// Where each signal's API lives, seen from this port. `null` means that this port cannot reach it.
import { root, service } from "../app/service";

export type Signal = "metrics" | "logs" | "traces" | "alerts";

const proxied = (uid: string) => `/api/datasources/proxy/uid/${uid}`;

export const bases: Record<Signal, string | null> =
  service === "grafana"
    ? { metrics: proxied("prometheus"), logs: proxied("loki"), traces: proxied("jaeger"), alerts: proxied("alertmanager") }
    : {
        metrics: service === "prometheus" ? root : null,
        logs: service === "loki" ? "" : null,
        traces: service === "jaeger" ? "" : null,
        alerts: service === "alertmanager" ? root : null,
      };

export function base(signal: Signal): string {
  const found = bases[signal];
  if (found === null) throw new Error(`${signal} are not served on this port`);
  return found;
}
