// A stand-in for the server while working on the web app: serves `dist/` on one port a service.
//
// Metrics and alerts are forwarded to real servers (PROMETHEUS_URL, ALERTMANAGER_URL), so that charts show real
// data; logs and traces are generated. /api/ds/query is answered by running the queries against PROMETHEUS_URL
// and writing data frames. Dashboards are read from the files of DASHBOARDS (default ../grafana/dashboards).
//
//   npm run build && PROMETHEUS_URL=http://127.0.0.1:9190 node dev/mock.mjs
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { logLabels, logStreams, makeTraces } from "./fixtures.mjs";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const dashboardsDir = process.env.DASHBOARDS ?? fileURLToPath(new URL("../../grafana/dashboards", import.meta.url));
const prometheus = process.env.PROMETHEUS_URL ?? "http://127.0.0.1:9190";
const alertmanager = process.env.ALERTMANAGER_URL ?? "http://127.0.0.1:9193";
const offset = Number(process.env.PORT_OFFSET ?? 20000);
const ports = { grafana: 3000, prometheus: 9090, alertmanager: 9093, loki: 3100, jaeger: 16686 };
const types = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8" };
const csp = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self'; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'self'";
const traces = makeTraces();

for (const [service, port] of Object.entries(ports)) {
  const server = createServer((req, res) => handle(service, req, res).catch((e) => json(res, 502, { error: String(e.message ?? e) })));
  server.on("upgrade", tail);
  server.listen(port + offset, "127.0.0.1", () => console.log(`${service} on http://127.0.0.1:${port + offset}`));
}

async function handle(service, req, res) {
  const url = new URL(req.url, "http://local");
  const body = await readBody(req);
  if (service === "grafana" && (url.pathname.startsWith("/api/") || (url.pathname === "/login" && req.method === "POST") || url.pathname === "/logout")) return grafana(req, res, url, body);
  if (service === "prometheus" && url.pathname.startsWith("/api/")) return forward(prometheus, req, res, url.pathname + url.search, body);
  if (service === "alertmanager" && url.pathname.startsWith("/api/")) return forward(alertmanager, req, res, url.pathname + url.search, body);
  if (service === "loki" && url.pathname.startsWith("/loki/")) return loki(res, url);
  if (service === "jaeger" && url.pathname.startsWith("/api/")) return jaeger(res, url);
  return file(service, res, url.pathname);
}

function file(service, res, path) {
  const asset = normalize(path).startsWith("/ui-assets/") ? join(dist, normalize(path)) : join(dist, "index.html");
  if (!existsSync(asset)) return json(res, 404, { message: "not found" });
  let bytes = readFileSync(asset);
  const headers = { "Content-Type": types[extname(asset)] ?? "application/octet-stream" };
  if (asset.endsWith(".html")) {
    bytes = bytes.toString().replace('data-service="grafana"', `data-service="${service}"`);
    headers["Content-Security-Policy"] = csp;
  } else if (existsSync(asset + ".br")) {
    bytes = readFileSync(asset + ".br");
    headers["Content-Encoding"] = "br";
  }
  res.writeHead(200, { ...headers, "Content-Length": Buffer.byteLength(bytes) }).end(bytes);
}

async function grafana(req, res, url, body) {
  const path = url.pathname;
  if (path === "/login") {
    const { user, password } = JSON.parse(body.toString());
    if (user !== "admin" || password !== "cloudos123") return json(res, 401, { message: "Invalid username or password", messageId: "password-auth.failed", statusCode: 401 });
    res.setHeader("Set-Cookie", "grafana_session=mock; Path=/; HttpOnly; SameSite=Lax");
    return json(res, 200, { message: "Logged in", redirectUrl: "/" });
  }
  if (path === "/logout") {
    res.writeHead(302, { Location: "/login", "Set-Cookie": "grafana_session=; Path=/; Max-Age=0" }).end();
    return;
  }
  if (!req.headers.cookie?.includes("grafana_session=mock")) return json(res, 401, { message: "Unauthorized", messageId: "auth.unauthorized", statusCode: 401 });
  if (path === "/api/user") return json(res, 200, { id: 1, login: "admin", name: "admin", email: "admin@localhost", isGrafanaAdmin: true, orgId: 1 });
  if (path === "/api/datasources") return json(res, 200, datasources);
  if (path === "/api/search") return json(res, 200, dashboards().map((d) => ({ id: 1, uid: d.uid, title: d.title, url: `/d/${d.uid}/x`, type: "dash-db", tags: d.tags ?? [], folderTitle: "CloudOS" })));
  if (path.startsWith("/api/dashboards/uid/")) {
    const found = dashboards().find((d) => d.uid === decodeURIComponent(path.slice(20)));
    return found ? json(res, 200, { meta: { slug: "x" }, dashboard: found }) : json(res, 404, { message: "Dashboard not found" });
  }
  if (path === "/api/ds/query") return dsQuery(res, JSON.parse(body.toString()));
  const proxied = /^\/api\/datasources\/proxy\/uid\/([^/]+)(\/.*)$/.exec(path);
  if (proxied) {
    const [, uid, rest] = proxied;
    if (uid === "prometheus") return forward(prometheus, req, res, rest + url.search, body);
    if (uid === "alertmanager") return forward(alertmanager, req, res, rest + url.search, body);
    if (uid === "loki") return loki(res, new URL(rest + url.search, "http://local"));
    if (uid === "jaeger") return jaeger(res, new URL(rest + url.search, "http://local"));
  }
  json(res, 404, { message: "Not found" });
}

const datasources = ["prometheus", "loki", "jaeger", "alertmanager"].map((uid, i) => ({ id: i + 1, uid, name: uid[0].toUpperCase() + uid.slice(1), type: uid, isDefault: uid === "prometheus" }));

function dashboards() {
  const extra = (process.env.EXTRA_DASHBOARDS ?? "").split(":").filter(Boolean);
  const files = existsSync(dashboardsDir) ? readdirSync(dashboardsDir).filter((f) => f.endsWith(".json")).map((f) => join(dashboardsDir, f)) : [];
  return [...files, ...extra].map((f, i) => ({ uid: `file-${i}`, ...JSON.parse(readFileSync(f, "utf8")) }));
}

async function dsQuery(res, { from, to, queries }) {
  const results = {};
  await Promise.all(queries.map(async (q) => {
    results[q.refId] = await (q.datasource.type === "loki" ? lokiFrames(q) : promFrames(q, Number(q.timeRange?.from ?? from), Number(q.timeRange?.to ?? to))).catch((e) => ({ status: 400, error: String(e.message ?? e), frames: [] }));
  }));
  json(res, Object.values(results).some((r) => r.error) ? 400 : 200, { results });
}

async function promFrames(q, from, to) {
  const step = Math.max(1, Math.round(q.intervalMs / 1000));
  const range = Math.round((to - from) / 1000);
  const rate = Math.max(step + 15, 60);
  const expr = q.expr.replaceAll("$__rate_interval", `${rate}s`).replaceAll("${__rate_interval}", `${rate}s`).replaceAll("$__interval", `${step}s`).replaceAll("$__range", `${range}s`);
  const params = q.instant ? { query: expr, time: to / 1000 } : { query: expr, start: Math.floor(from / 1000 / step) * step, end: Math.floor(to / 1000 / step) * step, step };
  const r = await fetch(`${prometheus}/api/v1/${q.instant ? "query" : "query_range"}`, { method: "POST", body: new URLSearchParams(params) });
  const answer = await r.json();
  if (answer.status !== "success") throw new Error(answer.error);
  const { resultType, result } = answer.data;
  const series = resultType === "matrix" ? result : resultType === "vector" ? result.map((s) => ({ metric: s.metric, values: [s.value] })) : [{ metric: {}, values: [result] }];
  return { status: 200, frames: series.map((s) => frame(q, s)) };
}

function frame(q, s) {
  const { __name__: metric, ...labels } = s.metric;
  const auto = `${metric ?? ""}{${Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(", ")}}`;
  const legend = q.legendFormat && q.legendFormat !== "__auto" ? q.legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, l) => s.metric[l] ?? "") : auto;
  return {
    schema: { refId: q.refId, meta: { type: "timeseries-multi" }, fields: [{ name: "Time", type: "time", config: { interval: q.intervalMs } }, { name: metric ?? "Value", type: "number", labels: s.metric, config: { displayNameFromDS: legend } }] },
    data: { values: [s.values.map(([t]) => t * 1000), s.values.map(([, v]) => (v === "NaN" ? null : Number(v)))] },
  };
}

async function lokiFrames(q) {
  const streams = logStreams(q.expr, 60);
  const lines = streams.flatMap((s) => s.values.map(([ns, line]) => ({ ns, line, labels: s.stream })));
  return { status: 200, frames: [{ schema: { refId: q.refId, fields: [{ name: "labels", type: "other" }, { name: "Time", type: "time" }, { name: "Line", type: "string" }, { name: "tsNs", type: "string" }] }, data: { values: [lines.map((l) => l.labels), lines.map((l) => Number(l.ns.slice(0, -6))), lines.map((l) => l.line), lines.map((l) => l.ns)] } }] };
}

function loki(res, url) {
  const p = url.pathname;
  if (p.endsWith("/labels")) return json(res, 200, { status: "success", data: Object.keys(logLabels) });
  const values = /\/label\/([^/]+)\/values$/.exec(p);
  if (values) return json(res, 200, { status: "success", data: logLabels[values[1]] ?? [] });
  const query = url.searchParams.get("query") ?? "";
  if (query.includes("!!")) return res.writeHead(400, { "Content-Type": "text/plain" }).end("parse error at line 1, col 1: syntax error: unexpected !");
  if (query.includes("count_over_time")) {
    const step = Number(url.searchParams.get("step")) || 60;
    const end = Math.floor(Number(url.searchParams.get("end")) / 1e9 / step) * step;
    const result = ["info", "warn", "error"].map((level, k) => ({ metric: { detected_level: level }, values: Array.from({ length: 60 }, (_, i) => [end - (59 - i) * step, String(Math.round((3 - k) * 8 * (1 + Math.sin(i / 7 + k))))]) }));
    return json(res, 200, { status: "success", data: { resultType: "matrix", result, stats: {} } });
  }
  json(res, 200, { status: "success", data: { resultType: "streams", result: logStreams(query, Number(url.searchParams.get("limit")) || 100), stats: {} } });
}

function jaeger(res, url) {
  const ok = (data) => json(res, 200, { data, total: 0, limit: 0, offset: 0, errors: null });
  if (url.pathname === "/api/services") return ok([...new Set(traces.flatMap((t) => Object.values(t.processes).map((p) => p.serviceName)))]);
  if (url.pathname === "/api/operations") return ok([...new Set(traces.flatMap((t) => t.spans.map((s) => s.operationName)))].map((name) => ({ name, spanKind: "server" })));
  if (url.pathname === "/api/traces") return ok(traces.filter((t) => Object.values(t.processes).some((p) => p.serviceName === url.searchParams.get("service"))));
  const one = traces.find((t) => url.pathname === `/api/traces/${t.traceID}`);
  return one ? ok([one]) : json(res, 404, { data: null, total: 0, limit: 0, offset: 0, errors: [{ code: 404, msg: "trace not found" }] });
}

/** The smallest WebSocket that can send text: enough for live tail. */
function tail(req, socket) {
  const accept = createHash("sha1").update(req.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  const timer = setInterval(() => {
    const payload = Buffer.from(JSON.stringify({ streams: logStreams("", 2) }));
    const head = payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
    socket.write(Buffer.concat([head, payload]));
  }, 700);
  socket.on("close", () => clearInterval(timer));
  socket.on("error", () => clearInterval(timer));
  socket.resume();
}

async function forward(base, req, res, path, body) {
  const headers = req.headers["content-type"] ? { "Content-Type": req.headers["content-type"] } : {};
  const r = await fetch(base + path, { method: req.method, headers, body: ["GET", "HEAD"].includes(req.method) ? undefined : body });
  res.writeHead(r.status, { "Content-Type": r.headers.get("content-type") ?? "text/plain" }).end(Buffer.from(await r.arrayBuffer()));
}

function readBody(req) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    req.on("data", (c) => chunks.push(c)).on("end", () => resolve(Buffer.concat(chunks))).on("error", reject);
  });
}

function json(res, status, value) {
  res.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
}
