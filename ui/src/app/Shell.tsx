// The frame around every page: navigation at the left (at the bottom on a phone), page at the right.
import { createMemo, createResource, ErrorBoundary, For, lazy, Match, Show, Suspense, Switch } from "solid-js";
import { logout, user } from "../api/grafana";
import { messageOf } from "../api/http";
import { Icon } from "../ui/Icon";
import { Empty, ErrorState, Loading } from "../ui/States";
import { href, location, matchPath, navigate } from "./router";
import { navigation, routes, type NavItem } from "./routes";
import { service, serviceTitles } from "./service";
import { theme, toggleTheme } from "./theme";

const Notifications = lazy(() => import("../ui/Notifications"));

export function Shell() {
  const found = createMemo(() => {
    for (const route of routes) {
      const params = matchPath(route.path, location().path);
      if (params) return { route, params };
    }
    return undefined;
  });
  // Only a different page or other path parameters make a new page; a change of the query string does not.
  const route = createMemo(() => found()?.route);
  const bare = () => location().path === "/login" && service === "grafana";
  return (
    <div class="app" classList={{ bare: bare() }}>
      <a class="skip" href="#page" data-external onClick={(e) => (e.preventDefault(), document.getElementById("page")?.focus())}>Skip to content</a>
      <Show when={!bare()}><Navigation /></Show>
      <main id="page" tabindex="-1">
        <ErrorBoundary fallback={(e, reset) => <ErrorState message={`This page failed: ${messageOf(e)}`} onRetry={reset} />}>
          <Show when={service === "prometheus"}><Suspense><Notifications /></Suspense></Show>
          <Suspense fallback={<Loading />}>
            <Switch fallback={<Empty title="There is no such page.">Nothing is served under <code>{location().path}</code> on this port.</Empty>}>
              <Match when={route()} keyed>{(r) => <r.page params={found()?.params ?? {}} />}</Match>
            </Switch>
          </Suspense>
        </ErrorBoundary>
      </main>
    </div>
  );
}

function Navigation() {
  const path = () => location().path;
  const active = (item: NavItem) => {
    if (item.path === "/") return path() === "/";
    return path() === item.path || path().startsWith(item.path + "/") || (item.also ?? []).some((a) => path().startsWith(a)) || (path() === "/" && item === navigation[0]);
  };
  return (
    <nav class="nav" aria-label="Main">
      <a class="brand" href={href(navigation[0]!.path)} title={serviceTitles[service]}>
        <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true"><path d="M3 18h6l3-9 5 15 4-10 2 4h6" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round" /></svg>
        <span>{serviceTitles[service]}</span>
      </a>
      <ul>
        <For each={navigation}>
          {(item) => (
            <li><a href={href(item.path)} classList={{ active: active(item) }} aria-current={active(item) ? "page" : undefined}><Icon name={item.icon} size={18} /><span>{item.label}</span></a></li>
          )}
        </For>
      </ul>
      <div class="nav-foot">
        <button onClick={toggleTheme} aria-label={theme() === "dark" ? "Switch to light theme" : "Switch to dark theme"} title={theme() === "dark" ? "Light theme" : "Dark theme"}>
          <Icon name={theme() === "dark" ? "sun" : "moon"} size={18} /><span>{theme() === "dark" ? "Light" : "Dark"}</span>
        </button>
        <Show when={service === "grafana"}><Account /></Show>
      </div>
    </nav>
  );
}

function Account() {
  // Without a session the pages themselves ask for one; here it only means that there is nobody to show.
  const [me] = createResource(() => user().catch(() => undefined));
  const leave = async () => {
    await logout().catch(() => undefined);
    navigate("/login");
  };
  return (
    <Suspense>
      <Show when={me()}>
        <button onClick={() => void leave()} aria-label={`Sign out ${me()!.login}`} title={`Sign out ${me()!.login}`}><Icon name="logout" size={18} /><span>{me()!.login}</span></button>
      </Show>
    </Suspense>
  );
}
