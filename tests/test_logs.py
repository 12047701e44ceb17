"""Logs in and out of Loki: live tail, queries over what was pushed, and what the labels say."""

import time

import api
import client
import stack
from support import until
from websocket import WebSocket


def test_tail_shows_lines_as_they_come():
    s = stack.shared()
    loki = s.url("loki")
    with WebSocket(loki + "/loki/api/v1/tail", {"query": '{job="tailed"} |= "wanted"'}) as tail:
        # The tail starts now: lines are pushed until one of them shows up.
        for number in range(100):
            now = time.time_ns()
            api.push_lines(loki, {"job": "tailed"}, [(now, f"wanted {number}"), (now + 1, "other")]).expect(204)
            if number == 2:
                break
            time.sleep(0.05)
        texts = []
        while not texts or texts[-1] != "wanted 2":
            for stream in tail.json()["streams"]:
                assert stream["stream"]["job"] == "tailed", stream
                texts += [text for _, text in stream["values"]]
        assert all(text.startswith("wanted ") for text in texts), texts


def test_tail_refuses_a_bad_query():
    s = stack.shared()
    reply = client.get(s.url("loki", "/loki/api/v1/tail"), params={"query": "{"})
    assert reply.status == 400, (reply.status, reply.text)


def test_queries_over_pushed_lines():
    s = stack.shared()
    loki = s.url("loki")
    start = time.time_ns() - 60 * api.NS
    lines = [(start + i * api.NS, f'level={"error" if i % 5 == 0 else "info"} path=/a/{i % 3} took={i}ms') for i in range(50)]
    api.push_lines(loki, {"job": "queried", "host": "a"}, lines).expect(204)
    assert api.lines(loki, '{job="queried"}') == lines
    assert api.lines(loki, '{job="queried"} |= "error"') == lines[::5]
    assert api.lines(loki, '{job="queried"} != "error" |~ "path=/a/[12]"') == [
        line for line in lines if "error" not in line[1] and "/a/0" not in line[1]
    ]
    assert api.lines(loki, '{job="queried"} | logfmt | took > 45ms') == lines[46:]

    def instant(expression):
        reply = client.get(loki + "/loki/api/v1/query", params={"query": expression}).expect(200).json()
        assert reply["data"]["resultType"] == "vector", reply
        return {tuple(sorted(x["metric"].items())): float(x["value"][1]) for x in reply["data"]["result"]}

    assert instant('sum(count_over_time({job="queried"}[5m]))') == {(): 50}
    by_level = instant('sum by (level) (count_over_time({job="queried"} | logfmt [5m]))')
    assert by_level == {(("level", "error"),): 10, (("level", "info"),): 40}, by_level
    took = instant('sum(sum_over_time({job="queried"} | logfmt | unwrap duration(took) [5m]))')
    assert abs(took[()] - 1.225) < 1e-9, took
    labels = client.get(loki + "/loki/api/v1/labels").expect(200).json()["data"]
    assert {"job", "host"} <= set(labels), labels
    assert client.get(loki + "/loki/api/v1/label/host/values").expect(200).json()["data"] == ["a"]


def test_the_stack_reads_its_own_log():
    """Promtail follows data/logs/*.log, so the first lines of a new installation are its own."""
    s = stack.shared()
    until(lambda: api.lines(s.url("loki"), '{job="cloudos"} |= "all services are up"'), "the stack's own log line")
