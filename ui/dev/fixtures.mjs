// Generated logs and traces for the mock. Made up, but shaped like the real thing.

export const logLabels = { job: ["syslog", "auth", "cloudos"], host: ["demo"], unit: ["sshd.service", "cron.service", "cloudos-monitor.service"] };

const samples = [
  ["info", 'level=info ts=2026-11-23T01:20:11Z component=scrape msg="scrape finished" target=http://127.0.0.1:9100/metrics samples=1184 duration=11.2ms'],
  ["info", "Accepted publickey for admin from 10.0.3.17 port 50612 ssh2: ED25519 SHA256:Jq3Zk"],
  ["warn", 'level=warn component=notify msg="delivery will be tried again" receiver=slack attempt=2 err="connection refused"'],
  ["error", 'level=error component=rules msg="evaluation failed" group=cloudos rule=HighCPUUsage err="query timed out"'],
  ["debug", '{"level":"debug","msg":"flush finished","part":"0000000000000042","rows":18231,"bytes":9120}'],
  ["unknown", "(root) CMD (run-parts --report /etc/cron.hourly)"],
];

export function logStreams(_query, limit) {
  const now = Date.now();
  const streams = samples.map(([level, line], k) => ({
    stream: { job: logLabels.job[k % 3], host: "demo", unit: logLabels.unit[k % 3], detected_level: level },
    values: [],
  }));
  for (let i = 0; i < limit; i++) {
    const k = [0, 1, 0, 4, 0, 2, 5, 1, 0, 3][i % 10];
    streams[k].values.push([`${now - i * 7300}${String(100000 + i * 37).slice(-6)}`, samples[k][1]]);
  }
  return streams.filter((s) => s.values.length > 0);
}

const plan = [
  ["gateway", "GET /v1/models", 0, 1, null],
  ["auth", "verify token", 0.02, 0.1, 0],
  ["auth", "SELECT sessions", 0.04, 0.05, 1],
  ["models", "list models", 0.14, 0.8, 0],
  ["models", "cache lookup", 0.15, 0.04, 3],
  ["storage", "read catalog", 0.2, 0.3, 3],
  ["storage", "SELECT models", 0.22, 0.2, 5],
  ["models", "load model", 0.52, 0.38, 3],
  ["inference", "warm up", 0.56, 0.3, 7],
  ["inference", "allocate tensors", 0.58, 0.12, 8],
  ["inference", "first token", 0.71, 0.12, 8],
];

export function makeTraces() {
  const now = Date.now() * 1000;
  return Array.from({ length: 24 }, (_, n) => {
    const traceID = (0xabc000000000000n + BigInt(n) * 0x1111111111n).toString(16).padStart(16, "0");
    const start = now - n * 97e6;
    const total = 18_000 + ((n * 7919) % 23) * 14_000;
    const services = [...new Set(plan.map((p) => p[0]))];
    const spans = plan.slice(0, 4 + ((n * 5) % 8)).map(([service, operationName, at, part, parent], i) => ({
      traceID,
      spanID: `${n.toString(16).padStart(4, "0")}${i.toString(16).padStart(12, "0")}`,
      flags: 1,
      operationName,
      references: parent === null ? [] : [{ refType: "CHILD_OF", traceID, spanID: `${n.toString(16).padStart(4, "0")}${parent.toString(16).padStart(12, "0")}` }],
      startTime: Math.round(start + at * total),
      duration: Math.round(part * total),
      tags: [
        { key: "span.kind", type: "string", value: i === 0 ? "server" : "internal" },
        { key: "http.status_code", type: "int64", value: n % 6 === 0 && i === 3 ? 500 : 200 },
        ...(n % 6 === 0 && i === 3 ? [{ key: "error", type: "bool", value: true }] : []),
      ],
      logs: i === 5 ? [{ timestamp: Math.round(start + (at + 0.1) * total), fields: [{ key: "event", type: "string", value: "page read" }, { key: "bytes", type: "int64", value: 8192 }] }] : [],
      processID: `p${services.indexOf(service) + 1}`,
      warnings: null,
    }));
    return { traceID, spans, processes: Object.fromEntries(services.map((s, i) => [`p${i + 1}`, { serviceName: s, tags: [{ key: "host.name", type: "string", value: "demo" }, { key: "service.version", type: "string", value: "1.4.2" }] }])), warnings: null };
  });
}
