// Opens every page of a running stack in Chromium and checks what a person would notice first.
//
//   GRAFANA_URL=http://127.0.0.1:3000 PROMETHEUS_URL=… ALERTMANAGER_URL=… JAEGER_URL=… node e2e/run.mjs
//
// Prints one line a check and ends with "N passed, N failed". SCREENSHOT_DIR keeps pictures in both themes,
// CHROMIUM names the browser, E2E_USER and E2E_PASSWORD the account.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const env = process.env;
const grafana = env.GRAFANA_URL ?? "http://127.0.0.1:3000";
const prometheus = env.PROMETHEUS_URL ?? "http://127.0.0.1:9090";
const alertmanager = env.ALERTMANAGER_URL ?? "http://127.0.0.1:9093";
const jaeger = env.JAEGER_URL ?? "http://127.0.0.1:16686";
const account = { user: env.E2E_USER ?? "admin", password: env.E2E_PASSWORD ?? "cloudos123" };
const shots = env.SCREENSHOT_DIR;
/** Dashboards whose every panel must show data on any host. */
const fullDashboards = /system overview|container metrics/i;
const JS_BUDGET_BYTES = 60 * 1024;
/** How long a state is waited for. Generous: the machine may be busy; a check never passes or fails by speed. */
const PATIENCE_MS = Number(env.E2E_PATIENCE_MS ?? 30_000);

let passed = 0;
let failed = 0;
function check(name, ok, detail = "") {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? "ok  " : "FAIL"} ${name}${!ok && detail ? `: ${detail}` : ""}`);
}

const executablePath = env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
if (!executablePath) {
  console.error("no Chromium was found; set CHROMIUM to its path");
  process.exit(2);
}
const profile = mkdtempSync(join(tmpdir(), "cloudos-e2e-"));
if (shots) mkdirSync(shots, { recursive: true });
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  viewport: { width: 1440, height: 900 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = context.pages()[0] ?? (await context.newPage());

// Errors are collected while a page is open and reported with it.
let problems = [];
let loginExpected = false;
let refusalExpected = false;
page.on("console", (m) => {
  if (m.type() !== "error") return;
  // The browser itself logs the 401 with which a fresh visitor is sent to the login page.
  if (loginExpected && /401/.test(m.text())) return;
  if (refusalExpected && /400/.test(m.text())) return;
  problems.push(`${m.text()} (${m.location().url})`);
});
page.on("pageerror", (e) => problems.push(e.message));

/** Opens a page, waits until nothing loads any more, and reports what went wrong meanwhile. */
async function visit(name, url, ready) {
  problems = [];
  // Asked without the browser first: an error status takes it to an error page of its own, and that disturbs the next check.
  const answer = await page.request.get(url).catch((e) => e);
  if (!(answer.status?.() < 400)) return check(`${name} opens`, false, answer.message ?? `the server answers ${answer.status()}`);
  try {
    await page.goto(url, { waitUntil: "load", timeout: PATIENCE_MS });
    if (ready) await page.waitForSelector(ready, { timeout: PATIENCE_MS });
    await page.waitForFunction(() => ![...document.querySelectorAll('.state.loading, [data-panel-state="loading"]')].some((e) => {
      const box = e.getBoundingClientRect();
      return box.top < window.innerHeight && box.bottom > 0;
    }), undefined, { timeout: PATIENCE_MS });
    check(`${name} opens`, true);
  } catch (e) {
    check(`${name} opens`, false, String(e.message).split("\n")[0]);
    return;
  }
  await picture(name);
  check(`${name} has no console errors`, problems.length === 0, problems.slice(0, 3).join(" | "));
}

async function picture(name) {
  if (!shots) return;
  const file = name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  for (const theme of ["dark", "light"]) {
    await setTheme(theme);
    await page.screenshot({ path: join(shots, `${file}-${theme}.png`) });
  }
  await setTheme("dark");
}

/** Uses the app's own switch, so that charts are redrawn as for a person. */
async function setTheme(theme) {
  const now = await page.evaluate(() => document.documentElement.dataset.theme);
  if (now === theme) return;
  const button = page.locator(".nav-foot button").first();
  if ((await button.count()) > 0) await button.click();
  else await page.evaluate((t) => (document.documentElement.dataset.theme = t), theme);
  await page.waitForFunction((t) => document.documentElement.dataset.theme === t, theme);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Scrolls a dashboard through, so that every panel has been asked for, and returns their states. */
async function panelStates() {
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => setTimeout(done, 60));
    for (let y = 0; y < document.documentElement.scrollHeight; y += window.innerHeight / 2) {
      window.scrollTo(0, y);
      await frame();
    }
    window.scrollTo(0, 0);
    await frame();
  });
  await page.waitForFunction(() => !document.querySelector('[data-panel-state="loading"]'), undefined, { timeout: PATIENCE_MS }).catch(() => undefined);
  return page.$$eval("[data-panel-id]", (all) => all.map((p) => ({ title: p.getAttribute("aria-label"), state: p.getAttribute("data-panel-state"), text: p.querySelector(".panel-error")?.textContent ?? "" })));
}

async function login() {
  loginExpected = true;
  await page.goto(grafana + "/", { waitUntil: "load", timeout: PATIENCE_MS });
  await page.waitForSelector('input[name="user"], .vitals', { timeout: PATIENCE_MS });
  if (await page.locator('input[name="user"]').count()) {
    check("without a session the login page opens", new URL(page.url()).pathname === "/login", page.url());
    await picture("login");
    await page.fill('input[name="user"]', account.user);
    await page.fill('input[name="password"]', "certainly wrong");
    await page.click('button[type="submit"]');
    await page.waitForSelector(".login .problem", { timeout: PATIENCE_MS });
    check("a wrong password is refused with the server's words", (await page.textContent(".login .problem")).trim().length > 0);
    await page.fill('input[name="password"]', account.password);
    await page.click('button[type="submit"]');
  }
  await page.waitForSelector(".vitals", { timeout: PATIENCE_MS });
  check("signed in, home opens", true);
  loginExpected = false;
}

/** Encoding and body size as the server states them: headers are not JavaScript. */
function transfer(headers) {
  const get = (name) => Object.entries(headers).find(([k]) => k.toLowerCase() === name)?.[1];
  return { encoding: get("content-encoding"), bytes: Number(get("content-length") ?? NaN) };
}

/** JavaScript that travels for a first visit, as compressed on the wire. */
async function firstLoad(name, url) {
  const client = await context.newCDPSession(page);
  await client.send("Network.enable");
  await client.send("Network.setCacheDisabled", { cacheDisabled: true });
  const scripts = new Map();
  client.on("Network.responseReceived", (e) => {
    if (e.type === "Script" || e.response.mimeType.includes("javascript")) scripts.set(e.requestId, { url: e.response.url, ...transfer(e.response.headers) });
  });
  await page.goto(url, { waitUntil: "networkidle", timeout: PATIENCE_MS });
  await client.detach();
  const all = [...scripts.values()];
  const total = all.reduce((sum, s) => sum + s.bytes, 0);
  check(`${name}: JavaScript travels as brotli`, all.length > 0 && all.every((s) => s.encoding === "br"), all.filter((s) => s.encoding !== "br").map((s) => s.url).join(", "));
  check(`${name}: first load is ${(total / 1024).toFixed(1)} KB of JavaScript, at most 60 KB`, total > 0 && total <= JS_BUDGET_BYTES);
}

try {
  await login();
  await visit("home", `${grafana}/`, ".vitals");
  await page.waitForFunction(() => [...document.querySelectorAll(".vital-value")].length >= 4 && [...document.querySelectorAll(".vital-value")].every((v) => /\d/.test(v.textContent)), undefined, { timeout: PATIENCE_MS }).then(
    () => check("home shows figures of this host", true),
    async () => check("home shows figures of this host", false, (await page.$$eval(".vital", (v) => v.map((x) => x.textContent))).join(" | ")),
  );
  await firstLoad("home", `${grafana}/`);
  await visit("dashboards", `${grafana}/dashboards`, ".link-list, .state");

  const boards = await page.evaluate(() => fetch("/api/search?query=&type=dash-db").then((r) => r.json()));
  check("there are dashboards", boards.length > 0);
  for (const board of boards) {
    await visit(`dashboard ${board.title}`, `${grafana}/d/${board.uid}`, "[data-panel-id]");
    const must = fullDashboards.test(board.title);
    const faulty = (s) => (must ? s.state !== "data" : s.state === "error" || s.state === "loading");
    let states = await panelStates();
    // The last step of a chart lies on a whole multiple of its step, so right after the start a rate may
    // need until the next minute before there are two samples behind it.
    for (let again = 0; again < 12 && must && states.some((s) => s.state === "empty"); again++) {
      await page.waitForTimeout(10_000);
      await visit(`dashboard ${board.title}, looked at again`, `${grafana}/d/${board.uid}`, "[data-panel-id]");
      states = await panelStates();
    }
    const wrong = states.filter(faulty);
    check(`dashboard ${board.title}: ${states.length} panels, ${must ? "all with data" : "none with an error"}`, states.length > 0 && wrong.length === 0, wrong.map((s) => `${s.title} is ${s.state} ${s.text}`).join("; "));
  }
  const overview = boards.find((b) => /system overview/i.test(b.title)) ?? boards[0];
  if (overview) await firstLoad(`dashboard ${overview.title}`, `${grafana}/d/${overview.uid}`);

  if (overview) await useDashboard(overview);

  await visit("explore", `${grafana}/explore`, ".query-input");
  await visit("explore metrics", `${grafana}/explore?expr=up`, ".explore-chart");
  await page.locator(".query-input textarea").fill("");
  await page.locator(".query-input textarea").pressSequentially("u");
  await page.waitForSelector(".suggestions .option", { timeout: PATIENCE_MS }).then(() => check("explore completes names", true), () => check("explore completes names", false));
  refusalExpected = true;
  await visit("explore with a broken query", `${grafana}/explore?expr=${encodeURIComponent("up{")}`, ".state.error");
  refusalExpected = false;
  await visit("explore logs", `${grafana}/explore?mode=logs`, ".suggest li, .state");
  const stream = page.locator(".suggest li button").first();
  if (await stream.count()) {
    problems = [];
    await stream.click();
    await page.waitForSelector(".logline, .state.empty", { timeout: PATIENCE_MS }).then(() => check("explore logs shows lines", true), () => check("explore logs shows lines", false));
    if (await page.locator(".logrow").count()) await page.locator(".logrow").first().click();
    await picture("explore log lines");
    check("explore logs has no console errors while querying", problems.length === 0, problems.join(" | "));
  }
  await visit("alerts", `${grafana}/alerting`, ".page-header");
  await visit("silences", `${grafana}/alerting/silences`, ".page-header");
  await silenceAndExpire();
  await visit("routing", `${grafana}/alerting/routes?labels=${encodeURIComponent("severity=critical")}`, ".route.ends");
  await visit("notifications", `${grafana}/alerting/notifications`, ".data-table tbody tr");
  await visit("rules", `${grafana}/alerting/rules`, ".rules, .state");
  await visit("targets", `${grafana}/targets`, ".data-table, .state");
  await visit("traces", `${grafana}/traces`, ".trace-search");
  await searchTraces("traces");
  await visit("an unknown page", `${grafana}/alerting/no-such-page`, ".state.empty");

  for (const [name, path, ready] of [
    ["prometheus query", "/query?expr=up", ".explore-chart"],
    ["prometheus graph link", "/graph?g0.expr=up&g0.tab=0", ".explore-chart"],
    ["prometheus query table", "/query?g0.expr=up&g0.tab=table&g1.expr=vector(1)&g1.tab=table", ".query-panel + .query-panel .data-table"],
    ["prometheus query explained", `/query?g0.tab=explain&g0.expr=${encodeURIComponent("sum by (mode) (rate(node_cpu_seconds_total[1m])) / 2")}`, ".explain-found"],
    ["prometheus targets", "/targets", ".data-table, .state"],
    ["prometheus rules", "/rules", ".rules, .state"],
    ["prometheus alerts", "/alerts", ".rules, .state"],
    ["prometheus status", "/status", ".data-table"],
    ["prometheus flags", "/flags", ".data-table"],
    ["prometheus config", "/config", "pre.code"],
    ["prometheus tsdb status", "/tsdb-status", "#cardinality .bars tbody tr"],
    ["prometheus cardinality of a metric", "/tsdb-status?focus=__name__&focus=up&by=job", "#cardinality .bars + *, #cardinality .bars tbody tr"],
    ["prometheus service discovery", "/service-discovery", ".found-item"],
    ["prometheus queries", "/queries", ".list-section"],
    ["prometheus runbook", "/runbooks/HighCPUUsage", ".runbook h2"],
    ["prometheus runbooks", "/runbooks", ".runbook-list li"],
  ]) await visit(name, prometheus + path, ready);

  await visit("alertmanager alerts", `${alertmanager}/#/alerts`, ".page-header");
  await visit("alertmanager silences", `${alertmanager}/#/silences`, ".page-header");
  await visit("alertmanager silence editor", `${alertmanager}/#/silences/new?filter=${encodeURIComponent('{alertname="A"}')}`, ".matcher-row");
  await visit("alertmanager routing", `${alertmanager}/#/routes`, ".route");
  await visit("alertmanager notifications", `${alertmanager}/#/notifications`, ".data-table tbody tr");
  await visit("alertmanager status", `${alertmanager}/#/status`, ".data-table");
  await visit("jaeger search", `${jaeger}/search`, ".trace-search");
  await searchTraces("jaeger");

  await page.setViewportSize({ width: 390, height: 844 });
  await visit("phone home", `${grafana}/`, ".vitals");
  check("phone home fits the width", await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  if (overview) {
    await visit("phone dashboard", `${grafana}/d/${overview.uid}`, "[data-panel-id]");
    check("phone dashboard fits the width", await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  }
} catch (e) {
  check("the run reaches its end", false, String(e.message).split("\n")[0]);
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

/** Controls of a dashboard: range, refresh, rows, zoom by dragging, legend. */
async function useDashboard(board) {
  problems = [];
  await page.goto(`${grafana}/d/${board.uid}`, { waitUntil: "load", timeout: PATIENCE_MS });
  await page.waitForSelector("[data-panel-id]", { timeout: PATIENCE_MS });
  await step("the range dialog sets the range in the URL", async () => {
    await page.click('.timepicker [aria-haspopup="dialog"]');
    await page.click('.timepop li button:text-is("Last 15 minutes")');
    await page.waitForFunction(() => location.search.includes("from=now-15m"), undefined, { timeout: PATIENCE_MS });
  });
  await step("a row closes and opens", async () => {
    const row = page.locator(".row-header").first();
    if (!(await row.count())) return;
    const before = await page.locator("[data-panel-id]").count();
    await row.click();
    await page.waitForFunction((n) => document.querySelectorAll("[data-panel-id]").length < n, before, { timeout: PATIENCE_MS });
    await row.click();
    await page.waitForFunction((n) => document.querySelectorAll("[data-panel-id]").length === n, before, { timeout: PATIENCE_MS });
  });
  const chart = page.locator('[data-panel-type="timeseries"][data-panel-state="data"] .u-over').first();
  await step("a series can be shown alone", async () => {
    await chart.waitFor({ timeout: PATIENCE_MS });
    const legend = page.locator('[data-panel-state="data"] .legend').first();
    if ((await legend.locator(".legend-item").count()) < 2) return;
    await legend.locator(".legend-item").first().click();
    await legend.locator('[aria-pressed="false"]').first().waitFor({ timeout: PATIENCE_MS });
    await legend.locator(".legend-item").first().click();
  });
  await step("dragging over a chart zooms into it", async () => {
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 6 });
    await page.mouse.up();
    await page.waitForFunction(() => /from=\d{13}/.test(location.search), undefined, { timeout: PATIENCE_MS });
  });
  check("using a dashboard causes no console errors", problems.length === 0, problems.slice(0, 3).join(" | "));
}

/** Creates a silence that matches nothing and expires it again. */
async function silenceAndExpire() {
  await step("a silence is created and expired", async () => {
    const comment = `end-to-end check ${Date.now()}`;
    await page.click('.page-actions a:text-is("New silence")');
    await page.getByLabel("Label 1").fill("alertname");
    await page.getByLabel("Value 1").fill("NoSuchAlertEndToEnd");
    await page.getByLabel("By", { exact: true }).fill("e2e");
    await page.getByLabel("Comment").fill(comment);
    await page.click('form button:text-is("Silence")');
    await page.click('.page-actions a:text-is("All silences")');
    const row = page.locator(`tr:has-text("${comment}")`);
    await row.waitFor({ timeout: PATIENCE_MS });
    await row.getByRole("button", { name: "Expire" }).click();
    await row.waitFor({ state: "detached", timeout: PATIENCE_MS });
  });
}

async function step(name, action) {
  try {
    await action();
    check(name, true);
  } catch (e) {
    check(name, false, String(e.message).split("\n")[0]);
  }
}

async function searchTraces(name) {
  const enabled = await page.waitForSelector(".trace-search button:not([disabled])", { timeout: 5000 }).catch(() => null);
  if (!enabled) return console.log(`skipped: ${name} has no traces yet`);
  problems = [];
  await page.selectOption('.trace-search select:has(option[value="7d"])', "7d");
  await page.click(".trace-search button[type=submit]");
  await page.waitForSelector(".trace-item, .state.empty", { timeout: PATIENCE_MS }).catch(() => undefined);
  await picture(`${name} found`);
  const first = page.locator(".trace-item").first();
  if (!(await first.count())) return check(`${name} finds traces`, false, "the service list is not empty but the search is");
  await first.click();
  await page.waitForSelector(".span-bar", { timeout: PATIENCE_MS }).then(() => check(`${name}: a trace opens as a timeline`, true), () => check(`${name}: a trace opens as a timeline`, false));
  await page.locator(".span-open").first().click();
  await picture(`${name} timeline`);
  check(`${name}: no console errors in search and timeline`, problems.length === 0, problems.join(" | "));
}
