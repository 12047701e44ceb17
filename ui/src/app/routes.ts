// The pages of each port. Every page is a chunk of its own, loaded when it is first opened.
import { lazy, type Component } from "solid-js";
import { service, type Service } from "./service";
import type { IconName } from "../ui/Icon";

export interface Route {
  path: string;
  page: Component<{ params: Record<string, string> }>;
}

export interface NavItem {
  label: string;
  path: string;
  icon: IconName;
  /** Other paths that belong to this item. */
  also?: string[];
}

const Home = lazy(() => import("../pages/Home"));
const Login = lazy(() => import("../pages/Login"));
const Dashboards = lazy(() => import("../pages/Dashboards"));
const DashboardPage = lazy(() => import("../dashboard/DashboardPage"));
const Explore = lazy(() => import("../pages/Explore"));
const Alerts = lazy(() => import("../pages/alerting/Alerts"));
const Silences = lazy(() => import("../pages/alerting/Silences"));
const SilenceEditor = lazy(() => import("../pages/alerting/SilenceEditor"));
const SilencePage = lazy(() => import("../pages/alerting/SilencePage"));
const Routing = lazy(() => import("../pages/alerting/Routing"));
const NotificationHistory = lazy(() => import("../pages/alerting/NotificationHistory"));
const Rules = lazy(() => import("../pages/Rules"));
const RuleAlerts = lazy(() => import("../pages/RuleAlerts"));
const Targets = lazy(() => import("../pages/Targets"));
const ServiceDiscovery = lazy(() => import("../pages/ServiceDiscovery"));
const QueryPage = lazy(() => import("../pages/query/QueryPage"));
const Queries = lazy(() => import("../pages/Queries"));
const Traces = lazy(() => import("../pages/Traces"));
const TracePage = lazy(() => import("../pages/TracePage"));
const Status = lazy(() => import("../pages/Status"));
const TsdbStatus = lazy(() => import("../pages/TsdbStatus"));
const AlertmanagerStatus = lazy(() => import("../pages/AlertmanagerStatus"));
const Runbooks = lazy(() => import("../pages/Runbooks"));
const PushGroups = lazy(() => import("../pages/PushGroups"));

const routeTable: Record<Service, Route[]> = {
  grafana: [
    { path: "/", page: Home },
    { path: "/login", page: Login },
    { path: "/dashboards", page: Dashboards },
    { path: "/dashboards/f/:uid/:slug?", page: Dashboards },
    { path: "/d/:uid/:slug?", page: DashboardPage },
    { path: "/explore", page: Explore },
    { path: "/alerting", page: Alerts },
    { path: "/alerting/list", page: Rules },
    { path: "/alerting/silences", page: Silences },
    { path: "/alerting/silences/new", page: SilenceEditor },
    { path: "/alerting/silences/edit/:id", page: SilenceEditor },
    { path: "/alerting/silences/:id", page: SilencePage },
    { path: "/alerting/routes", page: Routing },
    { path: "/alerting/notifications", page: NotificationHistory },
    { path: "/alerting/rules", page: Rules },
    { path: "/rules", page: Rules },
    { path: "/targets", page: Targets },
    { path: "/traces", page: Traces },
    { path: "/trace/:id", page: TracePage },
    { path: "/runbooks/:name?", page: Runbooks },
  ],
  prometheus: [
    { path: "/", page: QueryPage },
    { path: "/query", page: QueryPage },
    { path: "/graph", page: QueryPage },
    { path: "/alerts", page: RuleAlerts },
    { path: "/targets", page: Targets },
    { path: "/rules", page: Rules },
    { path: "/status", page: Status },
    { path: "/flags", page: Status },
    { path: "/config", page: Status },
    { path: "/tsdb-status", page: TsdbStatus },
    { path: "/service-discovery", page: ServiceDiscovery },
    { path: "/queries", page: Queries },
    { path: "/agent", page: Status },
    { path: "/runbooks/:name?", page: Runbooks },
  ],
  alertmanager: [
    { path: "/", page: Alerts },
    { path: "/alerts", page: Alerts },
    { path: "/silences", page: Silences },
    { path: "/silences/new", page: SilenceEditor },
    { path: "/silences/edit/:id", page: SilenceEditor },
    { path: "/silences/:id", page: SilencePage },
    { path: "/routes", page: Routing },
    { path: "/notifications", page: NotificationHistory },
    { path: "/status", page: AlertmanagerStatus },
  ],
  loki: [{ path: "/", page: Explore }, { path: "/explore", page: Explore }],
  jaeger: [{ path: "/", page: Traces }, { path: "/search", page: Traces }, { path: "/trace/:id", page: TracePage }],
  pushgateway: [{ path: "/", page: PushGroups }],
};

const navTable: Record<Service, NavItem[]> = {
  grafana: [
    { label: "Home", path: "/", icon: "home" },
    { label: "Dashboards", path: "/dashboards", icon: "dashboards", also: ["/d/"] },
    { label: "Explore", path: "/explore", icon: "explore" },
    { label: "Alerts", path: "/alerting", icon: "bell", also: ["/rules"] },
    { label: "Traces", path: "/traces", icon: "traces", also: ["/trace/"] },
    { label: "Targets", path: "/targets", icon: "target" },
  ],
  prometheus: [
    { label: "Query", path: "/query", icon: "explore", also: ["/graph"] },
    { label: "Alerts", path: "/alerts", icon: "bell" },
    { label: "Rules", path: "/rules", icon: "rules" },
    { label: "Targets", path: "/targets", icon: "target" },
    { label: "Discovery", path: "/service-discovery", icon: "search" },
    { label: "Queries", path: "/queries", icon: "clock" },
    { label: "Status", path: "/status", icon: "info", also: ["/flags", "/config"] },
    { label: "TSDB", path: "/tsdb-status", icon: "database" },
  ],
  alertmanager: [
    { label: "Alerts", path: "/alerts", icon: "bell" },
    { label: "Silences", path: "/silences", icon: "mute" },
    { label: "Routing", path: "/routes", icon: "target" },
    { label: "Notifications", path: "/notifications", icon: "push" },
    { label: "Status", path: "/status", icon: "info" },
  ],
  loki: [{ label: "Logs", path: "/explore", icon: "logs" }],
  jaeger: [{ label: "Search", path: "/search", icon: "traces", also: ["/trace/"] }],
  pushgateway: [{ label: "Groups", path: "/", icon: "push" }],
};

export const routes: Route[] = routeTable[service];
export const navigation: NavItem[] = navTable[service];
