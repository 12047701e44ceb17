// Data that a page loads and renews: keeps the last good answer on screen while a newer one is on its way,
// and beside an error when that fails.
import { createSignal, onCleanup } from "solid-js";
import { messageOf } from "../api/http";

/** With a function as interval, each answer decides when the next one is due. */
export function usePolled<T>(load: () => Promise<T>, everyMs?: number | ((latest: T | undefined) => number)) {
  const [data, setData] = createSignal<T | undefined>();
  const [error, setError] = createSignal<string | undefined>();
  const [loading, setLoading] = createSignal(true);
  let round = 0;
  async function reload(): Promise<void> {
    const mine = ++round;
    setLoading(true);
    try {
      const next = await load();
      if (mine !== round) return;
      setData(() => next);
      setError(undefined);
    } catch (e) {
      if (mine === round) setError(messageOf(e));
    } finally {
      if (mine === round) setLoading(false);
    }
  }
  void reload();
  if (everyMs) {
    let timer = 0;
    const arm = () => (timer = window.setTimeout(async () => {
      if (!document.hidden) await reload();
      if (timer) arm();
    }, typeof everyMs === "number" ? everyMs : everyMs(data())));
    arm();
    onCleanup(() => (window.clearTimeout(timer), (timer = 0)));
  }
  onCleanup(() => round++);
  return { data, error, loading, reload };
}
