import { createMemo, createSignal, For, Show } from "solid-js";
import { targets, type Target } from "../api/prometheus";
import { formatAgo, formatDuration } from "../lib/time";
import { Badge, Empty, ErrorState, LabelChips, Loading } from "../ui/States";
import { PageHeader } from "../ui/PageHeader";
import { RelabelSteps } from "../ui/RelabelSteps";
import { usePolled } from "../ui/usePolled";

const POLL_MS = 10_000;

export default function Targets() {
  const list = usePolled(targets, POLL_MS);
  const [filter, setFilter] = createSignal("");
  const [onlyBad, setOnlyBad] = createSignal(false);
  const shown = createMemo(() => {
    const needle = filter().toLowerCase();
    return (list.data()?.activeTargets ?? []).filter((t) => (!onlyBad() || t.health !== "up") && (!needle || `${t.scrapePool} ${t.scrapeUrl} ${JSON.stringify(t.labels)} ${t.lastError}`.toLowerCase().includes(needle)));
  });
  const pools = () => [...new Set(shown().map((t) => t.scrapePool))].sort();
  const up = (all: Target[]) => all.filter((t) => t.health === "up").length;
  return (
    <div class="page">
      <PageHeader title="Targets" detail={<Show when={list.data()}><span class="muted">{up(list.data()!.activeTargets)} of {list.data()!.activeTargets.length} up</span></Show>}>
        <label class="toggle"><input type="checkbox" checked={onlyBad()} onChange={(e) => setOnlyBad(e.currentTarget.checked)} /> Only unhealthy</label>
        <input class="search" type="search" placeholder="Filter by label, address or error" aria-label="Filter targets" value={filter()} onInput={(e) => setFilter(e.currentTarget.value)} />
      </PageHeader>
      <Show when={list.error()}><ErrorState message={list.error()!} onRetry={() => void list.reload()} /></Show>
      <Show when={list.data()} fallback={<Show when={!list.error()}><Loading what="targets" /></Show>}>
        <Show when={pools().length > 0} fallback={<Empty title={list.data()!.activeTargets.length ? "No target matches." : "No targets are configured."} />}>
          <For each={pools()}>
            {(pool) => {
              const own = () => shown().filter((t) => t.scrapePool === pool);
              return (
                <section class="list-section">
                  <h2>{pool} <Badge tone={up(own()) === own().length ? "ok" : "bad"}>{up(own())}/{own().length} up</Badge></h2>
                  <table class="data-table targets">
                    <thead><tr><th scope="col">Endpoint</th><th scope="col">State</th><th scope="col">Labels</th><th scope="col" class="num">Last scrape</th><th scope="col" class="num">Duration</th></tr></thead>
                    <tbody>
                      <For each={own()}>
                        {(t) => <TargetRows target={t} />}
                      </For>
                    </tbody>
                  </table>
                </section>
              );
            }}
          </For>
        </Show>
      </Show>
    </div>
  );
}

function TargetRows(props: { target: Target }) {
  const t = props.target;
  const [open, setOpen] = createSignal(false);
  return (
    <>
      <tr>
        <td class="mono"><a href={t.globalUrl} data-external>{t.scrapeUrl}</a></td>
        <td><Badge tone={t.health === "up" ? "ok" : t.health === "down" ? "bad" : "quiet"}>{t.health}</Badge></td>
        <td><LabelChips labels={t.labels} /> <button class="linkish" aria-expanded={open()} onClick={() => setOpen(!open())}>{open() ? "less" : "more"}</button></td>
        <td class="num" title={t.scrapeInterval ? `every ${t.scrapeInterval}, at most ${t.scrapeTimeout}` : undefined}>{t.lastScrape.startsWith("0001") ? "never" : formatAgo(Date.parse(t.lastScrape))}</td>
        <td class="num">{formatDuration(t.lastScrapeDuration * 1000)}</td>
      </tr>
      <Show when={t.lastError}><tr class="error-row"><td colspan="5">{t.lastError}</td></tr></Show>
      <Show when={open()}>
        <tr>
          <td colspan="5">
            <p><span class="muted">discovered</span> <LabelChips labels={t.discoveredLabels} /></p>
            <Show when={t.scrapeInterval}><p class="muted">scraped every {t.scrapeInterval}, given up after {t.scrapeTimeout}</p></Show>
            <RelabelSteps pool={t.scrapePool} labels={t.discoveredLabels} />
          </td>
        </tr>
      </Show>
    </>
  );
}
