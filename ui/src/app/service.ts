// Which service answers on this port. The server writes its name into <html data-service="…">.

export type Service = "grafana" | "prometheus" | "alertmanager" | "loki" | "jaeger" | "pushgateway";

const known: Service[] = ["grafana", "prometheus", "alertmanager", "loki", "jaeger", "pushgateway"];
const written = document.documentElement.dataset.service as Service | undefined;

export const service: Service = written && known.includes(written) ? written : "grafana";

/** Path under which this service is reached, without a slash at its end; the server writes it into <html data-base>. */
export const root = document.documentElement.dataset.base ?? "";

/** The dashboards of the same stack, which also have the pages for metrics, logs and traces: their address, where the server knows it. */
export const dashboards: string | null = dashboardsAt(document.documentElement.dataset.dashboards);

function dashboardsAt(port: string | undefined): string | null {
  return port ? `${window.location.protocol}//${window.location.hostname}:${port}` : null;
}

export const serviceTitles: Record<Service, string> = {
  grafana: "CloudOS Monitoring",
  prometheus: "Prometheus",
  alertmanager: "Alertmanager",
  loki: "Loki",
  jaeger: "Jaeger",
  pushgateway: "Pushgateway",
};
