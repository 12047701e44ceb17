"""SIGTERM, SIGHUP, reload, and configuration with a mistake in it."""

import contextlib
import http.client
import signal
import socket

import api
import client
import stack
from stack import Stack
from support import time_limit, until
from websocket import WebSocket


def test_sigterm_and_restart_keep_the_data():
    with Stack() as s:
        first = s.pid
        api.push_lines(s.url("loki"), {"job": "kept"}, [(api.time.time_ns(), "a line")]).expect(204)
        spans = [{"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "kept"}]
        api.push_spans(s.otlp_http, "kept", spans).expect(200)
        client.post(s.url("pushgateway", "/metrics/job/kept"), "kept 7\n").expect(200)
        until(lambda: api.value(s.url("prometheus"), 'kept{job="kept"}') == 7, "the pushed value to be scraped")
        s.restart()
        assert s.pid != first
        assert [text for _, text in api.lines(s.url("loki"), '{job="kept"}')] == ["a line"]
        assert len(api.trace(s.url("jaeger"), "ab" * 16)) == 1
        assert 'kept{instance="",job="kept"} 7' in client.get(s.url("pushgateway", "/metrics")).text
        assert api.samples(s.url("prometheus"), 'kept{job="kept"}', "1h")


def test_sigterm_does_not_wait_for_clients():
    """Idle connections, a live tail and half a request are open; it stops in time all the same."""
    with Stack() as s, contextlib.ExitStack() as clients:
        for service, (port, _) in stack.SERVICES.items():
            idle = http.client.HTTPConnection("127.0.0.1", port + s.offset, timeout=10)
            clients.callback(idle.close)
            idle.request("GET", "/metrics")
            idle.getresponse().read()
        clients.enter_context(WebSocket(s.url("loki", "/loki/api/v1/tail"), {"query": '{job="none"}'}))
        half = clients.enter_context(socket.create_connection(("127.0.0.1", 3100 + s.offset)))
        half.sendall(b"POST /loki/api/v1/push HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        s.stop()


BROKEN = [
    # Service, file, what is written at its end, and what the error must name; {n} is the number of that line.
    ("prometheus", "prometheus/prometheus.yml", "no_such_key: 1\n", ["prometheus.yml:{n}:", "field no_such_key not found"]),
    ("prometheus", "prometheus/alerts/cloudos_alerts.yml", "x: [\n", ["cloudos_alerts.yml:"]),
    (
        "prometheus",
        "prometheus/alerts/cloudos_alerts.yml",
        "  - name: broken\n    rules:\n      - alert: X\n        expr: 'sum('\n",
        ["cloudos_alerts.yml", "could not parse expression"],
    ),
    ("prometheus", "prometheus/prometheus.yml", "global: {}\n", ["prometheus.yml:{n}:", 'key "global" already defined']),
    ("alertmanager", "alertmanager/alertmanager.yml", "no_such_key: 1\n", ["alertmanager.yml:{n}:", "no_such_key"]),
]


def test_broken_configuration_is_refused_and_the_running_one_stays():
    s = stack.shared()
    config_before = client.get(s.url("prometheus", "/api/v1/status/config")).expect(200).json()
    rules_before = rule_names(s)
    for service, file, text, named in BROKEN:
        path = s.config / file
        good = path.read_text()
        path.write_text(good + text)
        try:
            reply = client.post(s.url(service, "/-/reload"))
            assert reply.status == 500, f"{file} + {text!r}: {reply.status} {reply.text}"
            for part in named:
                part = part.format(n=good.count("\n") + 1)
                assert part in reply.text, f"{file} + {text!r}: no {part!r} in {reply.text!r}"
        finally:
            path.write_text(good)
        assert client.get(s.url("prometheus", "/api/v1/status/config")).json() == config_before
        assert rule_names(s) == rules_before
    for service in ["prometheus", "alertmanager"]:
        client.post(s.url(service, "/-/reload")).expect(200)
        gauge = f"{service}_config_last_reload_successful 1"
        assert gauge in client.get(s.url(service, "/metrics")).text, gauge


def test_sighup_reloads_and_survives_a_mistake():
    s = stack.shared()
    path = s.config / "prometheus" / "prometheus.yml"
    good = path.read_text()
    broken_log = s.log.read_text().count("configuration refused")
    try:
        path.write_text(good + "scrape_configs: oops\n")
        s.signal(signal.SIGHUP)
        until(lambda: s.log.read_text().count("configuration refused") > broken_log, "the refusal in the log")
        s.assert_running()
        target = f"      - targets: [\"127.0.0.1:{stack.SERVICES['loki'][0] + s.offset}\"]\n"
        path.write_text(good + "  - job_name: added\n    static_configs:\n" + target)
        s.signal(signal.SIGHUP)

        def added():
            body = client.get(s.url("prometheus", "/api/v1/targets")).expect(200).json()
            return [t for t in body["data"]["activeTargets"] if t["scrapePool"] == "added" and t["health"] == "up"]

        until(added, "the added target to be scraped")
    finally:
        path.write_text(good)
        s.signal(signal.SIGHUP)
    pools = lambda: client.get(s.url("prometheus", "/api/v1/scrape_pools")).json()["data"]["scrapePools"]
    until(lambda: "added" not in pools(), "the added pool to be gone")


@time_limit(30)
def test_start_with_a_mistake_names_it():
    def break_it(config):
        path = config / "prometheus" / "prometheus.yml"
        path.write_text(path.read_text() + "no_such_key: 1\n")

    s = Stack(edit=break_it)
    try:
        s.launch()
        assert s.wait(20) != 0, "it started with an unknown key"
        log = s.log.read_text()
        assert "prometheus.yml" in log and "no_such_key" in log, log
    finally:
        s.close()


def test_a_taken_port_is_named():
    s = stack.shared()
    second = Stack()
    try:
        second.command[-1] = f"--listen.port-offset={s.offset}"
        second.launch()
        assert second.wait(20) != 0, "it started on taken ports"
        log = second.log.read_text()
        assert str(9090 + s.offset) in log and "in use" in log.lower(), log
    finally:
        second.close()
    client.get(s.url("prometheus", "/-/ready")).expect(200)


def rule_names(s):
    body = client.get(s.url("prometheus", "/api/v1/rules")).expect(200).json()
    return [rule["name"] for group in body["data"]["groups"] for rule in group["rules"]]
