"""The requests that many tests make, in the words of the tests."""

import json
import time

import client

NS = 1_000_000_000


# --- Prometheus -------------------------------------------------------------


def query(prometheus, expression, at=None):
    """The result of an instant query: a list of series."""
    params = {"query": expression}
    if at is not None:
        params["time"] = at
    reply = client.get(prometheus + "/api/v1/query", params=params).expect(200).json()
    assert reply["status"] == "success", reply
    return reply["data"]["result"]


def value(prometheus, expression):
    """The value of the only series of an instant query; None if there is none."""
    result = query(prometheus, expression)
    assert len(result) <= 1, f"{expression}: expected one series, got {result}"
    return float(result[0]["value"][1]) if result else None


def samples(prometheus, selector, window):
    """Every stored sample of the window as (milliseconds, value), over all matching series."""
    found = set()
    for series in query(prometheus, f"{selector}[{window}]"):
        for at, number in series["values"]:
            found.add((round(at * 1000), float(number)))
    return found


# --- Loki ---------------------------------------------------------------------


def push_lines(loki, labels, lines, timeout=10.0):
    """`lines` are (nanoseconds, text) pairs of one stream."""
    values = [[str(at), text] for at, text in lines]
    body = {"streams": [{"stream": labels, "values": values}]}
    return client.post(loki + "/loki/api/v1/push", json=body, timeout=timeout)


def lines(loki, selector, start=None, end=None, page=5000):
    """All lines of a selector, oldest first, as (nanoseconds, text); reads page after page."""
    start = time.time_ns() - 3600 * NS if start is None else start
    end = time.time_ns() + 60 * NS if end is None else end
    found = []
    while True:
        params = {"query": selector, "start": start, "end": end, "limit": page, "direction": "forward"}
        reply = client.get(loki + "/loki/api/v1/query_range", params=params, timeout=30).expect(200).json()
        got = [(int(at), text) for stream in reply["data"]["result"] for at, text in stream["values"]]
        got.sort()
        found += got
        if len(got) < page:
            return found
        # Lines that share the last timestamp come again with the next page, hence the plus one and a test's
        # duty to give its lines timestamps of their own.
        start = got[-1][0] + 1


# --- Jaeger --------------------------------------------------------------------


def otlp_request(service, spans):
    """An OTLP/JSON export request. A span is a dict with traceId, spanId, name, and whatever else it has."""
    now = time.time_ns()
    for span in spans:
        span.setdefault("kind", 2)
        if "startTimeUnixNano" not in span:
            span |= {"startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 5_000_000)}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    scope_spans = [{"scope": {"name": "black-box"}, "spans": spans}]
    return {"resourceSpans": [{"resource": resource, "scopeSpans": scope_spans}]}


def push_spans(otlp, service, spans, timeout=10.0):
    return client.post(otlp + "/v1/traces", json=otlp_request(service, spans), timeout=timeout)


def trace(jaeger, trace_id):
    """The spans of a trace; empty when it is not known."""
    reply = client.get(f"{jaeger}/api/traces/{trace_id}")
    if reply.status == 404:
        return []
    return reply.expect(200).json()["data"][0]["spans"]


# --- Shapes ----------------------------------------------------------------------


def show(value, limit=800):
    text = json.dumps(value, indent=1, sort_keys=True)
    return text if len(text) <= limit else text[:limit] + " …"
