// On the dashboards' port the alert pages share one navigation item and switch here.
import { For, Show } from "solid-js";
import { location } from "../app/router";
import { service } from "../app/service";

const tabs = [
  { label: "Firing", path: "/alerting" },
  { label: "Silences", path: "/alerting/silences" },
  { label: "Rules", path: "/alerting/rules" },
  { label: "Routing", path: "/alerting/routes" },
  { label: "Notifications", path: "/alerting/notifications" },
];

export function AlertTabs() {
  return (
    <Show when={service === "grafana"}>
      <span class="tabs">
        <For each={tabs}>{(t) => <a href={t.path} classList={{ active: location().path === t.path || (t.path === "/alerting/rules" && ["/alerting/list", "/rules"].includes(location().path)) }} aria-current={location().path === t.path ? "page" : undefined}>{t.label}</a>}</For>
      </span>
    </Show>
  );
}
