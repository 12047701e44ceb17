"""The commands of the specification, answered as the originals answer them."""

import http.client
import json
import shutil
import subprocess
from unittest import SkipTest

import api
import client
import stack
from support import until


def curl(*arguments, stdin=None):
    """What a person types; the body it prints."""
    if not shutil.which("curl"):
        raise SkipTest("curl is not installed")
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "10", *arguments], input=stdin, capture_output=True, text=True, timeout=15
    )
    assert done.returncode == 0, f"curl {arguments}: {done.stderr}"
    return done.stdout


def test_health_endpoints():
    s = stack.shared()
    for service, path, expected in [
        ("prometheus", "/-/healthy", "Prometheus Server is Healthy.\n"),
        ("prometheus", "/-/ready", "Prometheus Server is Ready.\n"),
        ("alertmanager", "/-/healthy", "OK"),
        ("alertmanager", "/-/ready", "OK"),
        ("loki", "/ready", "ready\n"),
        ("pushgateway", "/-/healthy", "OK"),
        ("pushgateway", "/-/ready", "OK"),
        ("cadvisor", "/healthz", "ok"),
    ]:
        reply = client.get(s.url(service, path)).expect(200)
        assert reply.text == expected, f"{service}{path}: {reply.text!r}"
    health = client.get(s.url("grafana", "/api/health")).expect(200).json()
    assert health["database"] == "ok", health


def test_curl_reaches_every_service():
    s = stack.shared()
    for service, (_, path) in stack.SERVICES.items():
        code = curl("-o", "/dev/null", "-w", "%{http_code}", s.url(service, path))
        assert code == "200", f"{service}{path}: {code}"


def test_curl_with_a_query_as_people_type_it():
    """Braces and quotes are not encoded by curl -g, nor by the person."""
    s = stack.shared()
    for service, path in [
        ("prometheus", '/api/v1/query?query=count(up{job="prometheus"})'),
        ("loki", '/loki/api/v1/query_range?query={job="cloudos"}'),
        ("jaeger", '/api/traces?service=a&tags={"a":"b"}'),
    ]:
        body = json.loads(curl("-g", s.url(service, path)))
        assert "data" in body and not body.get("errors"), body


def test_every_service_shows_its_own_metrics():
    s = stack.shared()
    for service, family in [
        ("prometheus", "prometheus_build_info"),
        ("grafana", "grafana_build_info"),
        ("alertmanager", "alertmanager_build_info"),
        ("loki", "loki_build_info"),
        ("node-exporter", "node_cpu_seconds_total"),
        ("cadvisor", "machine_cpu_cores"),
        ("promtail", "promtail_build_info"),
        ("pushgateway", "pushgateway_build_info"),
        ("jaeger", "jaeger_"),
        ("cloudos-exporter", "cloudos_"),
    ]:
        reply = client.get(s.url(service, "/metrics")).expect(200)
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4"), (service, reply.headers)
        found = any(line.startswith(family) for line in reply.text.splitlines())
        assert found, f"{service}: no {family} in\n{reply.text[:600]}"


def test_targets_are_all_up():
    s = stack.shared()

    def all_up():
        body = client.get(s.url("prometheus", "/api/v1/targets")).expect(200).json()
        targets = body["data"]["activeTargets"]
        down = [(t["scrapePool"], t["lastError"]) for t in targets if t["health"] != "up"]
        assert len(targets) >= 10 and not down, f"{len(targets)} targets, down: {down}"
        return targets

    targets = until(all_up, "ten targets to be up")
    fields = {
        "discoveredLabels", "labels", "scrapePool", "scrapeUrl", "globalUrl", "lastError", "lastScrape",
        "lastScrapeDuration", "health", "scrapeInterval", "scrapeTimeout",
    }  # fmt: skip
    assert fields <= set(targets[0]), f"missing: {fields - set(targets[0])}"
    until(lambda: api.value(s.url("prometheus"), "count(up == 1)") == 10, "ten series of `up`")


def test_cloudos_exporter_metrics():
    s = stack.shared()
    text = curl(s.url("cloudos-exporter", "/metrics"))
    names = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    own = {name for name in names if name.startswith("cloudos_")}
    assert len(own) >= 5, f"only {sorted(own)}"


def test_rules_hold_the_six_key_alerts():
    s = stack.shared()
    body = client.get(s.url("prometheus", "/api/v1/rules")).expect(200).json()
    rules = {rule["name"]: rule for group in body["data"]["groups"] for rule in group["rules"]}
    for name in [
        "HighCPUUsage",
        "CriticalMemoryUsage",
        "DiskSpaceLow",
        "ContainerRestarts",
        "AIInferenceFailures",
        "AuthenticationFailures",
    ]:
        matching = [rule for found, rule in rules.items() if found.lower() == name.lower()]
        assert matching, f"no alert {name} among {sorted(rules)}"
        assert matching[0]["type"] == "alerting" and matching[0]["health"] in ("ok", "unknown"), matching[0]


def test_rules_are_evaluated():
    s = stack.shared()

    def evaluated():
        body = client.get(s.url("prometheus", "/api/v1/rules")).expect(200).json()
        rules = [rule for group in body["data"]["groups"] for rule in group["rules"]]
        bad = [(r["name"], r["health"], r.get("lastError")) for r in rules if r["health"] != "ok"]
        assert rules and not bad, bad
        return True

    until(evaluated, "every rule to be evaluated without an error")


def test_alertmanager_status():
    s = stack.shared()
    body = client.get(s.url("alertmanager", "/api/v1/status")).expect(200).json()
    assert body["status"] == "success", body
    data = body["data"]
    assert set(data) == {"configYAML", "configJSON", "versionInfo", "uptime", "clusterStatus"}, set(data)
    assert "group_by" in data["configYAML"], data["configYAML"][:200]
    for path in ["/api/v1/alerts", "/api/v1/silences", "/api/v1/receivers"]:
        body = client.get(s.url("alertmanager", path)).expect(410).json()
        assert body["status"] == "deprecated", body


def test_alertmanager_is_known_to_prometheus():
    s = stack.shared()

    def known():
        body = client.get(s.url("prometheus", "/api/v1/alertmanagers")).expect(200).json()
        urls = [a["url"] for a in body["data"]["activeAlertmanagers"]]
        return len(urls) == 1 and urls[0].endswith("/api/v2/alerts")

    until(known, "the Alertmanager to be discovered")


def test_push_loop_leaves_the_last_value():
    """`for i in {1..1000}; do echo "test_metric $i" | curl …; done`, over one connection at a time."""
    s = stack.shared()
    port = stack.SERVICES["pushgateway"][0] + s.offset
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for i in range(1, 1001):
        connection.request("POST", "/metrics/job/test", body=f"test_metric {i}\n")
        reply = connection.getresponse()
        body = reply.read()
        assert reply.status == 200, f"push {i}: {reply.status} {body!r}"
    connection.close()
    assert 'test_metric{instance="",job="test"} 1000' in client.get(s.url("pushgateway", "/metrics")).text
    until(lambda: api.value(s.url("prometheus"), 'test_metric{job="test"}') == 1000, "the value to be scraped")


def test_push_loop_with_curl():
    s = stack.shared()
    for i in range(1, 26):
        url = s.url("pushgateway", "/metrics/job/curl")
        code = curl("-X", "POST", "-w", "%{http_code}", "--data-binary", "@-", url, stdin=f"test_metric {i}\n")
        assert code == "200", f"push {i}: {code}"
    assert 'test_metric{instance="",job="curl"} 25' in client.get(s.url("pushgateway", "/metrics")).text


def test_host_metrics_and_rates():
    """What the System Overview shows: this host, from two scrapes on."""
    prometheus = stack.shared().url("prometheus")
    for expression in [
        "sum(rate(node_cpu_seconds_total[1m]))",
        "node_memory_MemTotal_bytes",
        "node_load1",
        "count(node_filesystem_size_bytes)",
        "machine_memory_bytes",
        "sum(rate(container_cpu_usage_seconds_total[1m]))",
        "sum(rate(prometheus_http_requests_total[1m]))",
    ]:
        until(lambda e=expression: (api.value(prometheus, e) or 0) > 0 or e == "node_load1", expression)


def test_grafana_has_sources_and_dashboards():
    s = stack.shared()
    login = client.post(s.url("grafana", "/login"), json={"user": "admin", "password": "cloudos123"}).expect(200)
    session = {"Cookie": login.headers["set-cookie"].split(";")[0]}
    sources = client.get(s.url("grafana", "/api/datasources"), headers=session).expect(200).json()
    assert {source["type"] for source in sources} >= {"prometheus", "loki", "jaeger"}, sources
    found = client.get(s.url("grafana", "/api/search?type=dash-db"), headers=session).expect(200).json()
    titles = {entry["title"] for entry in found}
    wanted = {"System Overview", "Container Metrics", "Security Monitoring", "Cluster Health"}
    assert wanted <= titles and len(titles) >= 5, titles
    for entry in found:
        dashboard = client.get(s.url("grafana", f"/api/dashboards/uid/{entry['uid']}"), headers=session)
        assert dashboard.expect(200).json()["dashboard"]["panels"], entry
    for source in sources:
        health = client.get(s.url("grafana", f"/api/datasources/uid/{source['uid']}/health"), headers=session)
        assert health.expect(200).json()["status"] == "OK", (source["name"], health.text)


def test_pages_are_served():
    s = stack.shared()
    pages = [
        ("grafana", "/login"), ("prometheus", "/query"), ("prometheus", "/targets"), ("alertmanager", "/"),
        ("loki", "/"), ("jaeger", "/search"), ("pushgateway", "/"),
    ]  # fmt: skip
    for service, path in pages:
        reply = client.get(s.url(service, path)).expect(200)
        assert reply.headers["content-type"].startswith("text/html"), (service, reply.headers)
