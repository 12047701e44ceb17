"""Malformed, huge and hostile requests: a clear refusal, and the service lives on.

Each row is a request and the reply of the original: its status and a part of its text. After the rows of a
service the process is the same as before and the service still answers.
"""

import contextlib
import gzip
import json
import os
import socket
import struct
import time

import api
import client
import stack
from process import Process, free_port
from support import PEERS, SkipTest, scratch, time_limit, until

NOW = time.time_ns()
DEEP = 100_000
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@contextlib.contextmanager
def unharmed(service):
    """The stack is the same process afterwards, still answers, and nothing in it panicked."""
    s = stack.shared()
    pid, log_size = s.pid, os.path.getsize(s.log)
    yield s
    s.assert_running()
    assert s.pid == pid
    client.get(s.url(service, stack.SERVICES[service][1])).expect(200)
    with open(s.log, "rb") as log:
        log.seek(log_size)
        panics = [line for line in log.read().decode("utf-8", "replace").splitlines() if "panicked at" in line]
    assert not panics, panics


def check(service, base, rows):
    """`rows` are (status, part of the text, request(url) or the arguments of one)."""
    with unharmed(service) as s:
        ask(base(s), rows)


def ask(url, rows):
    wrong = []
    for status, part, method, path, *more in rows:
        arguments = more[0] if more else {}
        shown = f"{method} {path[:100]} {str(arguments)[:160]}"
        try:
            reply = client.request(method, url + path, timeout=20, **arguments)
        except OSError as e:
            wrong.append(f"{shown}\n            no reply: {e}")
            continue
        statuses = status if isinstance(status, tuple) else (status,)
        if reply.status not in statuses or part not in reply.text:
            wrong.append(f"{shown}\n            {reply.status} {reply.text[:300]!r}, expected {status} {part!r}")
    assert not wrong, f"{len(wrong)} of {len(rows)} rows:\n        " + "\n        ".join(wrong)


def query(**params):
    return {"params": params}


def body(data, headers=None):
    return {"body": data, "headers": headers or {}}


# --- Prometheus ------------------------------------------------------------------

Q, R = "/api/v1/query", "/api/v1/query_range"

PROMETHEUS = [
    (400, 'invalid parameter \\"query\\": unknown position: parse error: no expression found in input', "GET", Q),
    (400, "parse error", "GET", Q, query(query="sum(")),
    (400, "parse error: unexpected", "GET", Q, query(query="up up")),
    (400, 'unknown function with name \\"no_such\\"', "GET", Q, query(query="no_such(up)")),
    (400, "vector selector must contain at least one non-empty matcher", "GET", Q, query(query='{a=""}')),
    (400, "error parsing regexp", "GET", Q, query(query='{a=~"("}')),
    (400, "parse error", "GET", Q, query(query="\x00")),
    (400, "parse error", "GET", Q + "?query=%ff%fe"),
    (400, "", "POST", Q, {"form": {"query": "(" * DEEP}}),
    (400, "", "POST", Q, {"form": {"query": "up[5m:1m]" * 1000}}),
    (400, "", "POST", Q, {"form": {"query": '{a=~"' + "(" * 5000 + ")" * 5000 + '"}'}}),
    (400, "", "POST", Q, {"form": {"query": '{a=~"((a{1,1000}){1,1000}){1,1000}"}'}}),
    (400, 'invalid parameter \\"time\\"', "GET", Q, query(query="up", time="yesterday")),
    (400, 'invalid parameter \\"time\\"', "GET", Q, query(query="up", time="1e400")),
    (400, 'invalid parameter \\"timeout\\"', "GET", Q, query(query="up", timeout="soon")),
    (400, 'invalid parameter \\"limit\\"', "GET", Q, query(query="up", limit="-1")),
    (400, 'invalid parameter \\"start\\"', "GET", R, query(query="up")),
    (400, 'invalid parameter \\"step\\"', "GET", R, query(query="up", start=1, end=2, step="x")),
    (400, "zero or negative query resolution step widths are not accepted", "GET", R, query(query="up", start=1, end=2, step=0)),
    (400, "end timestamp must not be before start time", "GET", R, query(query="up", start=2, end=1, step=1)),
    (400, "exceeded maximum resolution of 11,000 points per timeseries", "GET", R, query(query="up", start=0, end=11002, step=1)),
    (400, "", "GET", R, query(query="up", start=-9.2e15, end=9.2e15, step=1e-9)),
    (400, "", "GET", R, query(query="up", start="NaN", end="NaN", step="NaN")),
    (400, "invalid expression type", "GET", R, query(query="up[1m]", start=1, end=2, step=1)),
    (400, "no match[] parameter provided", "GET", "/api/v1/series"),
    (400, 'invalid parameter \\"match[]\\"', "GET", "/api/v1/series", {"params": {"match[]": "{"}}),
    (400, "match[] must contain at least one non-empty matcher", "GET", "/api/v1/series", {"params": {"match[]": '{a=~".*"}'}}),
    (400, "invalid label name", "GET", "/api/v1/label/%FF/values"),
    (404, "", "GET", "/api/v1/no_such_thing"),
    (405, "", "DELETE", Q),
    (400, "", "GET", "/api/v1/rules?type=nonsense"),
    ((301, 404), "", "GET", "/api/v1/../../etc/passwd"),
    ((301, 404), "", "GET", "/assets/..%2f..%2f..%2fetc%2fpasswd"),
    ((301, 404), "", "GET", "/..%2f..%2f..%2fetc%2fpasswd"),
    # Allowed, only strange.
    (200, "success", "GET", Q, query(query="up", time="-9000000000000")),
    (200, "success", "GET", Q, query(query='{"strange name \\u00e9"}')),
    (200, "success", "GET", Q, query(query="1/0")),
]  # fmt: skip


# Where the original takes minutes, or hangs up, a limit of ours says no.
PROMETHEUS_LIMITS = [
    (400, "", "POST", Q, {"form": {"query": "-" * DEEP + "1"}}),
    (400, "", "POST", Q, {"form": {"query": "1" + "^1" * DEEP}}),
    ((413, 400), "", "POST", Q, body(b"query=" + b"1" * (20 << 20), FORM)),
]


@time_limit(90)
def test_prometheus():
    check("prometheus", lambda s: s.url("prometheus"), PROMETHEUS + PROMETHEUS_LIMITS)


def test_prometheus_query_that_wants_too_much():
    with unharmed("prometheus") as s:
        url = s.url("prometheus", Q)
        subquery = "count_over_time((" * 4 + "vector(1)" + ")[365d:1s])" * 4
        reply = client.post(url, form={"query": subquery, "timeout": "2s"}, timeout=30)
        assert reply.status in (422, 503), (reply.status, reply.text[:300])
        kind = reply.json()["errorType"]
        assert kind in ("execution", "timeout"), reply.text


# --- Alertmanager -------------------------------------------------------------------

ALERTS, SILENCES = "/api/v2/alerts", "/api/v2/silences"


def silence(**changes):
    base = {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "2030-01-01T00:00:00Z",
        "endsAt": "2031-01-01T00:00:00Z",
        "createdBy": "me",
        "comment": "why",
    }
    return {"json": {**base, **changes}}


ALERTMANAGER = [
    (415, "unsupported media type", "POST", ALERTS, body("[]", {"Content-Type": "text/plain"})),
    (400, "", "POST", ALERTS, body("[", JSON)),
    (400, "", "POST", ALERTS, body("[" * DEEP, JSON)),
    (400, "", "POST", ALERTS, body('{"labels": 1}', JSON)),
    (400, "at least one label", "POST", ALERTS, body('[{"labels": {}}]', JSON)),
    (400, "", "POST", ALERTS, body('[{"labels": {"a": "b"}, "startsAt": "yesterday"}]', JSON)),
    (400, "", "POST", ALERTS, body('[{"labels": {"a": "b"}, "startsAt": "2030-01-01T00:00:00Z", "endsAt": "2020-01-01T00:00:00Z"}]', JSON)),
    ((200, 400), "", "POST", ALERTS, body(b'[{"labels": {"a": "\xff\xfe"}}]', JSON)),
    (400, "", "GET", ALERTS, query(filter="a=~(")),
    (400, "", "GET", ALERTS, query(filter="nonsense")),
    (400, "", "GET", ALERTS, query(receiver="(")),
    (400, "", "POST", SILENCES, body("{", JSON)),
    ((400, 422), "matchers", "POST", SILENCES, silence(matchers=[])),
    (400, "", "POST", SILENCES, silence(matchers=[{"name": "a", "value": "(", "isRegex": True}])),
    (400, "", "POST", SILENCES, silence(matchers=[{"name": "a", "value": "", "isRegex": False}])),
    (400, "", "POST", SILENCES, silence(endsAt="2029-01-01T00:00:00Z")),
    (404, "", "POST", SILENCES, silence(id="00000000-0000-0000-0000-000000000000")),
    (404, "", "GET", "/api/v2/silence/00000000-0000-0000-0000-000000000000"),
    (422, "", "GET", "/api/v2/silence/nonsense"),
    (404, "", "DELETE", "/api/v2/silence/00000000-0000-0000-0000-000000000000"),
    (405, "", "DELETE", ALERTS),
    (404, "", "GET", "/api/v2/no_such_thing"),
    (410, "deprecated", "POST", "/api/v1/alerts", body("[]", JSON)),
    (405, "", "GET", "/-/reload"),
]  # fmt: skip


def test_alertmanager():
    check("alertmanager", lambda s: s.url("alertmanager"), ALERTMANAGER)


# --- Loki ---------------------------------------------------------------------------------

PUSH, LQ, LR = "/loki/api/v1/push", "/loki/api/v1/query", "/loki/api/v1/query_range"


def push(labels, *entries):
    values = [[str(at), text, *rest] for at, text, *rest in entries]
    return {"json": {"streams": [{"stream": labels, "values": values}]}}


def bomb(megabytes):
    """Much text in a small body."""
    line = "x" * 1000
    inner = json.dumps({"streams": [{"stream": {"a": "b"}, "values": [[str(NOW), line]]}]}).encode()
    return gzip.compress(b" " * (megabytes << 20) + inner[:-3])


def snappy_claim(size):
    """A snappy block that says it unpacks to `size` bytes and holds three."""
    out = bytearray()
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*out, size]) + b"\x08abc"


LOKI = [
    (400, "", "POST", PUSH, body("", JSON)),
    (400, "", "POST", PUSH, body("{", JSON)),
    (400, "", "POST", PUSH, body("[" * DEEP, JSON)),
    (400, "", "POST", PUSH, body('{"streams": [{"stream": {"a": "b"}, "values": [[1, "number"]]}]}', JSON)),
    (400, "", "POST", PUSH, body('{"streams": [{"stream": {"a": "b"}, "values": [["1"]]}]}', JSON)),
    (400, "", "POST", PUSH, body('{"streams": [{"stream": {"a": 1}, "values": []}]}', JSON)),
    (422, "at least one valid stream is required", "POST", PUSH, {"json": {"streams": []}}),
    (400, "at least one label pair is required per stream", "POST", PUSH, push({}, (NOW, "x"))),
    (400, "error parsing labels", "POST", PUSH, push({"no-dash": "b"}, (NOW, "x"))),
    (400, "max entry size '262144' bytes exceeded for stream", "POST", PUSH, push({"a": "long"}, (NOW, "x" * 262_145))),
    (400, "has timestamp too old", "POST", PUSH, push({"a": "old"}, (1, "x"))),
    (400, "has timestamp too new", "POST", PUSH, push({"a": "new"}, (NOW + 3600 * api.NS, "x"))),
    (400, "label names; limit 15", "POST", PUSH, push({f"l{i}": "v" for i in range(16)}, (NOW, "x"))),
    (400, "label name too long", "POST", PUSH, push({"l" * 1025: "v"}, (NOW, "x"))),
    (400, "label value too long", "POST", PUSH, push({"l": "v" * 2049}, (NOW, "x"))),
    (400, "structured metadata", "POST", PUSH, push({"a": "meta"}, (NOW, "x", {"k": "v" * 70_000}))),
    (400, 'not supported', "POST", PUSH, body("{}", {**JSON, "Content-Encoding": "br"})),
    (400, "", "POST", PUSH, body(b"\x1f\x8bnonsense", {**JSON, "Content-Encoding": "gzip"})),
    (400, "", "POST", PUSH, body(b"", PROTOBUF)),
    (400, "", "POST", PUSH, body(b"\xff" * 1000, PROTOBUF)),
    ((400, 413), "", "POST", PUSH, body(snappy_claim(0xFFFF_FFFF), PROTOBUF)),
    ((400, 413), "", "POST", PUSH, body(bomb(200), {**JSON, "Content-Encoding": "gzip"})),
    (405, "", "GET", PUSH),
    (400, "parse error", "GET", LR, query(query="")),
    (400, "parse error", "GET", LR, query(query="{a=")),
    (400, "parse error", "GET", LR, query(query='{a="b"} |= ')),
    (400, "parse error", "GET", LR, query(query="\x00")),
    (400, "parse error", "GET", LR, query(query='{a=~"("}')),
    (400, "at least one regexp or equality matcher", "GET", LR, query(query='{a=~".*"}')),
    (400, "log queries are not supported as an instant query type", "GET", LQ, query(query='{a="b"}')),
    (400, "", "GET", LR, query(query='{a="b"}', start=2, end=1)),
    (400, "", "GET", LR, query(query='{a="b"}', start="x")),
    (400, "limit must be a positive value", "GET", LR, query(query='{a="b"}', limit=0)),
    (400, "max entries limit per query exceeded", "GET", LR, query(query='{a="b"}', limit=5001)),
    (400, "invalid direction", "GET", LR, query(query='{a="b"}', direction="up")),
    (400, "zero or negative query resolution", "GET", LR, query(query='rate({a="b"}[1m])', step="-1")),
    (400, "exceeded maximum resolution", "GET", LR, query(query='rate({a="b"}[1m])', start=1, end=100_000, step="1ms")),
    (400, "the query time range exceeds the limit", "GET", LR, query(query='{a="b"}', start=1, end=9_999_999_999)),
    (400, "", "POST", LR, {"form": {"query": "(" * DEEP}}),
    (400, "", "POST", LR, {"form": {"query": '{a="b"}' + " |= `x`" * 30_000}}),
    (400, "", "POST", LR, {"form": {"query": "sum(" * 20_000 + 'rate({a="b"}[1m])' + ")" * 20_000}}),
    (400, "", "GET", "/loki/api/v1/series", {"params": {"match[]": "{"}}),
    (404, "", "GET", "/loki/api/v1/no_such_thing"),
    ((301, 404), "", "GET", "/..%2f..%2f..%2fetc%2fpasswd"),
]  # fmt: skip


@time_limit(90)
def test_loki():
    check("loki", lambda s: s.url("loki"), LOKI)


def test_loki_keeps_the_good_part_of_a_bad_push():
    with unharmed("loki") as s:
        labels = {"job": "partial"}
        reply = api.push_lines(s.url("loki"), labels, [(time.time_ns(), "good"), (1, "old"), (2, "older")])
        assert reply.status == 400 and "timestamp too old" in reply.text, reply
        assert [text for _, text in api.lines(s.url("loki"), '{job="partial"}')] == ["good"]


# --- Jaeger -------------------------------------------------------------------------------

T, ID = "/api/traces", "ab" * 16


def spans(**changes):
    return {"json": api.otlp_request("bad", [{"traceId": ID, "spanId": "cd" * 8, "name": "x", **changes}])}


JAEGER = [
    (400, "parameter 'service' is required", "GET", "/api/operations"),
    (404, "trace not found", "GET", f"{T}/{'9' * 32}"),
    (400, "", "GET", f"{T}/not-a-trace-id"),
    (400, "", "GET", f"{T}/{'f' * 33}"),
    (400, "unable to parse param 'start'", "GET", T, query(service="a", start="x")),
    (400, "unable to parse param 'minDuration'", "GET", T, query(service="a", minDuration="long")),
    (400, "'maxDuration' should be greater than 'minDuration'", "GET", T, query(service="a", minDuration="2s", maxDuration="1s")),
    (400, "malformed 'tag' parameter, expecting key:value, received: x", "GET", T, query(service="a", tag="x")),
    (400, "malformed 'tags' parameter, cannot unmarshal JSON", "GET", T, query(service="a", tags='{"a": 1}')),
    (400, "malformed 'tags' parameter", "GET", T, query(service="a", tags="[" * 5000)),
    (400, "", "GET", T, query(service="a", limit="many")),
    (400, "", "GET", T, query(service="a", limit="99999999999999999999")),
    (404, "", "GET", "/api/no_such_thing"),
    (200, "", "GET", T, query(service="a", start="-9223372036854775808", end="9223372036854775807")),
    (200, "", "GET", T, query(service="no such service")),
]  # fmt: skip

OTLP = [
    (415, "", "POST", "/v1/traces", body("x", {"Content-Type": "text/plain"})),
    (405, "", "GET", "/v1/traces"),
    (400, "", "POST", "/v1/traces", body("{", JSON)),
    (400, "", "POST", "/v1/traces", body('{"resourceSpans":' * 20_000, JSON)),
    (400, "", "POST", "/v1/traces", body(b"\xff" * 100, PROTOBUF)),
    (400, "", "POST", "/v1/traces", body(b"\x0a\xff\xff\xff\xff\x0f", PROTOBUF)),
    (400, "", "POST", "/v1/traces", body(b"nonsense", {**PROTOBUF, "Content-Encoding": "gzip"})),
    (400, "unsupported Content-Encoding", "POST", "/v1/traces", body(b"", {**PROTOBUF, "Content-Encoding": "br"})),
    ((400, 413), "", "POST", "/v1/traces", body(gzip.compress(bytes(200 << 20)), {**PROTOBUF, "Content-Encoding": "gzip"})),
    ((200, 400), "", "POST", "/v1/traces", spans(traceId="zz")),
    (200, "rejectedSpans", "POST", "/v1/traces", spans(traceId="00" * 16)),
    (200, "rejectedSpans", "POST", "/v1/traces", spans(spanId="")),
    (400, "", "POST", "/v1/traces", spans(startTimeUnixNano="yesterday")),
    (200, "", "POST", "/v1/traces", body("{}", JSON)),
    (200, "", "POST", "/v1/traces", body(b"", PROTOBUF)),
    (200, "", "POST", "/v1/traces", spans(startTimeUnixNano="18446744073709551615", endTimeUnixNano="0")),
]  # fmt: skip


def test_jaeger():
    check("jaeger", lambda s: s.url("jaeger"), JAEGER)


def test_otlp():
    check("jaeger", lambda s: s.otlp_http, OTLP)


def test_otlp_grpc_survives_noise():
    with unharmed("jaeger") as s:
        host, port = s.otlp_grpc.removeprefix("http://").split(":")
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        settings = struct.pack(">I", 0)[1:] + b"\x04\x00" + struct.pack(">I", 0)
        huge_frame = struct.pack(">I", 0xFFFFFF)[1:] + b"\x00\x00" + struct.pack(">I", 1)
        for noise in [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 1000, preface + b"\xff" * 100, preface + settings + huge_frame]:
            send(int(port), noise)


# --- Pushgateway -------------------------------------------------------------------------

PG = "/metrics/job/bad"

PUSHGATEWAY = [
    (400, "text format parsing error in line 1", "POST", PG, body("no_newline 1")),
    (400, "text format parsing error in line 1", "POST", PG, body("name {\n")),
    (400, "text format parsing error in line 1: expected float as value", "POST", PG, body("name value\n")),
    (400, "text format parsing error in line 2", "POST", PG, body("a 1\nb{c=} 1\n")),
    (400, "", "POST", PG, body("a 1\na 2\n")),
    (400, "", "POST", PG, body("# TYPE a counter\n# TYPE a gauge\na 1\n")),
    (400, "", "POST", PG, body("a 1 1600000000000\n")),
    (400, "", "POST", PG, body(b"\xff\xfe 1\n")),
    (400, "", "POST", PG, body(b"\xff" * 100, {"Content-Type": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"})),
    (400, "", "POST", PG, body(b"nonsense", {"Content-Encoding": "gzip"})),
    ((400, 413), "", "POST", PG, body(gzip.compress(b"#" * (200 << 20)), {"Content-Encoding": "gzip"})),
    (400, "", "POST", "/metrics/job@base64/!!!", body("a 1\n")),
    (400, "", "POST", "/metrics/job/a/b", body("a 1\n")),
    (400, "", "POST", "/metrics/job/a/__name__/b", body("a 1\n")),
    (405, "", "POST", "/metrics", body("a 1\n")),
    (405, "", "GET", PG),
    (404, "", "GET", "/no_such_thing"),
    (200, "", "POST", PG, body("")),
    (202, "", "DELETE", "/metrics/job/never_pushed"),
]  # fmt: skip


def test_pushgateway():
    check("pushgateway", lambda s: s.url("pushgateway"), PUSHGATEWAY)


# --- Grafana --------------------------------------------------------------------------------


def test_grafana():
    s = stack.shared()
    login = client.post(s.url("grafana", "/login"), json={"user": "admin", "password": "cloudos123"}).expect(200)
    cookie = {"Cookie": login.headers["set-cookie"].split(";")[0]}
    signed = {**JSON, **cookie}
    rows = [
        (401, "", "GET", "/api/search"),
        (401, "", "GET", "/api/datasources"),
        (401, "", "GET", "/api/user", {"headers": {"Cookie": "grafana_session=0123456789abcdef"}}),
        (401, "", "GET", "/api/user", {"headers": {"Authorization": "Basic !!!"}}),
        (401, "", "POST", "/login", body('{"user": "admin", "password": "wrong"}', JSON)),
        (400, "", "POST", "/login", body("{", JSON)),
        (404, "", "GET", "/api/dashboards/uid/none", {"headers": cookie}),
        (404, "", "GET", "/api/datasources/uid/none", {"headers": cookie}),
        (404, "", "GET", "/api/datasources/proxy/uid/none/api/v1/query", {"headers": cookie}),
        (400, "", "POST", "/api/ds/query", body("{", signed)),
        (400, "", "POST", "/api/ds/query", body('{"queries": []}', signed)),
        (400, "", "POST", "/api/ds/query", body("[" * DEEP, signed)),
        (404, "", "GET", "/api/no_such_thing", {"headers": cookie}),
        (413, "", "POST", "/api/dashboards/db", body("x" * (17 << 20), signed)),
        ((400, 404), "", "GET", "/..%2f..%2fetc%2fpasswd", {"headers": cookie}),
    ]
    check("grafana", lambda s: s.url("grafana"), rows)


# --- The originals ---------------------------------------------------------------------------


@time_limit(90)
def test_the_originals_answer_the_same():
    """The tables above, put to the originals where this machine has them: what they claim is so."""
    listen = "--web.listen-address=127.0.0.1:{port}"
    prometheus = ["--config.file={dir}/p.yml", "--storage.tsdb.path={dir}/tsdb", listen]
    alertmanager = ["--config.file={dir}/a.yml", "--storage.path={dir}/data", "--cluster.listen-address=", listen]
    for program, flags, rows in [
        ("prometheus", prometheus, PROMETHEUS),
        ("prometheus-alertmanager", alertmanager, ALERTMANAGER),
        ("prometheus-pushgateway", [listen], PUSHGATEWAY),
    ]:
        if not (PEERS / program).exists():
            raise SkipTest(f"{program} is not installed")
        with scratch() as directory:
            (directory / "p.yml").write_text("{}\n")
            (directory / "a.yml").write_text("route: {receiver: a}\nreceivers: [{name: a}]\n")
            port = free_port()
            command = [PEERS / program, *(flag.format(dir=directory, port=port) for flag in flags)]
            with Process(command, directory / "log", cwd=directory) as original:
                original.start()
                url = f"http://127.0.0.1:{port}"

                def ready():
                    if not original.is_running():
                        # Debian's Alertmanager needs its templates where the package puts them.
                        raise SkipTest(f"{program} does not start:\n{original.log_tail(2)}")
                    return client.get(url + "/-/ready").status == 200

                until(ready, f"{program} to be ready")
                ask(url, rows)


# --- Any of them --------------------------------------------------------------------------------


def send(port, data, wait=True):
    """Raw bytes. Whatever comes back is fine, also nothing; but the other side answers or hangs up in time."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            connection.sendall(data)
            if wait:
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
        except TimeoutError:
            raise AssertionError(f"no answer to {data[:60]!r}, and still connected") from None
        except OSError:
            # It may hang up at any byte.
            pass


def test_broken_http_on_every_port():
    for service, (port, path) in stack.SERVICES.items():
        with unharmed(service) as s:
            port += s.offset
            send(port, b"\x00\xff\x00\xff\r\n\r\n")
            send(port, b"GET")
            send(port, b"GET / HTTP/9.9\r\n\r\n")
            send(port, b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n")
            send(port, b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx")
            send(port, b"GET / HTTP/1.1\r\nX: " + b"a" * (2 << 20) + b"\r\n\r\n")
            send(port, b"GET /" + b"a" * (2 << 20) + b" HTTP/1.1\r\n\r\n")
            send(port, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n")
            # A promise of ten gigabytes, and nobody there to keep it.
            send(port, b"POST " + path.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 10737418240\r\n\r\nx", wait=False)
            send(port, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx", wait=False)


def test_idle_connections_do_not_block_others():
    """Two hundred clients that connect and say nothing."""
    with unharmed("prometheus") as s, contextlib.ExitStack() as open_connections:
        port = stack.SERVICES["prometheus"][0] + s.offset
        for _ in range(200):
            open_connections.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        for _ in range(5):
            client.get(s.url("prometheus", "/-/healthy")).expect(200)
