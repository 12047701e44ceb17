// Which service answers on this port. The server writes its name into <html data-service="…">.

export type Service = "grafana" | "prometheus" | "alertmanager" | "loki" | "jaeger" | "pushgateway";

const known: Service[] = ["grafana", "prometheus", "alertmanager", "loki", "jaeger", "pushgateway"];
const written = document.documentElement.dataset.service as Service | undefined;

export const service: Service = written && known.includes(written) ? written : "grafana";

/** Path under which this service is reached, without a slash at its end; the server writes it into <html data-base>. */
export const root = document.documentElement.dataset.base ?? "";

export const serviceTitles: Record<Service, string> = {
  grafana: "CloudOS Monitoring",
  prometheus: "Prometheus",
  alertmanager: "Alertmanager",
  loki: "Loki",
  jaeger: "Jaeger",
  pushgateway: "Pushgateway",
};
