import { createSignal, Show } from "solid-js";
import { login } from "../api/grafana";
import { messageOf } from "../api/http";
import { location, navigate } from "../app/router";
import "./login.css";

export default function Login() {
  const [name, setName] = createSignal("");
  const [password, setPassword] = createSignal("");
  const [problem, setProblem] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  document.title = "Sign in · CloudOS Monitoring";

  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await login(name(), password());
      navigate(target(location().query.get("redirectTo")), { replace: true });
    } catch (err) {
      setProblem(messageOf(err));
      setBusy(false);
    }
  };
  return (
    <div class="login">
      <form onSubmit={(e) => void submit(e)}>
        <svg width="44" height="44" viewBox="0 0 32 32" aria-hidden="true"><path d="M3 18h6l3-9 5 15 4-10 2 4h6" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" /></svg>
        <h1>CloudOS Monitoring</h1>
        <label>User<input name="user" autocomplete="username" autofocus required value={name()} onInput={(e) => setName(e.currentTarget.value)} /></label>
        <label>Password<input name="password" type="password" autocomplete="current-password" required value={password()} onInput={(e) => setPassword(e.currentTarget.value)} /></label>
        <Show when={problem()}><p class="problem" role="alert">{problem()}</p></Show>
        <button class="button primary" type="submit" disabled={busy()}>{busy() ? "Signing in…" : "Sign in"}</button>
      </form>
    </div>
  );
}

/** Only paths of this origin: a link must not be able to send people elsewhere after they signed in. */
function target(wanted: string | null): string {
  return wanted && /^\/(?![/\\])/.test(wanted) && !wanted.startsWith("/login") ? wanted : "/";
}
