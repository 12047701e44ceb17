"""Clients that know nothing of us: what works with the originals works here."""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import time

import api
import client
import stack
from receivers import Target
from support import PEERS, ROOT, SkipTest, scratch, time_limit, until


def peer(name, *arguments, check=True):
    """Runs an original tool, if this machine has it."""
    path = PEERS / name
    if not path.exists():
        raise SkipTest(f"{name} is not installed")
    done = subprocess.run([str(path), *arguments], capture_output=True, text=True, timeout=30)
    assert not check or done.returncode == 0, f"{name} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def python_client():
    try:
        import prometheus_client
    except ImportError:
        raise SkipTest("prometheus-client is not installed") from None
    return prometheus_client


# --- prometheus_client --------------------------------------------------------


def test_prometheus_client_is_scraped():
    """Every type, in both formats the library speaks, with values that break naive parsers."""
    pc = python_client()
    from prometheus_client.openmetrics import exposition as openmetrics

    registry = pc.CollectorRegistry()
    counter = pc.Counter("client_jobs", "Jobs.", ["queue"], registry=registry)
    counter.labels('with "quotes", \\ and\nlines').inc(3)
    pc.Gauge("client_temperature", "Degrees.", registry=registry).set(float("-inf"))
    pc.Summary("client_size", "Sizes.", registry=registry).observe(2.5)
    histogram = pc.Histogram("client_seconds", "Seconds.", buckets=[0.1, 1], registry=registry)
    histogram.observe(0.05, {"trace_id": "abc"})
    histogram.observe(5)
    pc.Info("client_build", "Build.", registry=registry).info({"version": "1.2.3"})
    pc.Enum("client_state", "State.", states=["up", "down"], registry=registry).state("down")

    text = lambda: pc.generate_latest(registry).decode()
    modern = lambda: openmetrics.generate_latest(registry).decode()
    modern_type = openmetrics.CONTENT_TYPE_LATEST
    s = stack.shared()
    with Target(text) as plain, Target(modern, modern_type) as open_metrics:
        path = s.config / "prometheus/prometheus.yml"
        before = path.read_text()
        targets = f"targets: ['{plain.address}', '{open_metrics.address}'], labels: {{who: client}}"
        path.write_text(before + f"  - job_name: client\n    static_configs: [{{{targets}}}]\n")
        try:
            client.post(s.url("prometheus", "/-/reload")).expect(200)
            prometheus = s.url("prometheus")
            until(lambda: api.value(prometheus, 'count(up{who="client"} == 1)') == 2, "both targets to be up")
            for target in [plain.address, open_metrics.address]:
                for selector, expected in [
                    ("client_jobs_total", 3),
                    ("client_temperature", float("-inf")),
                    ("client_size_sum", 2.5),
                    ("client_size_count", 1),
                    ('client_seconds_bucket{le="0.1"}', 1),
                    ('client_seconds_bucket{le="+Inf"}', 2),
                    ("client_seconds_sum", 5.05),
                    ('client_build_info{version="1.2.3"}', 1),
                    ('client_state{client_state="down"}', 1),
                ]:
                    got = api.value(prometheus, f"{selector} and on(instance) up{{instance='{target}'}}")
                    assert got == expected, f"{selector} of {target}: {got}"
            series = api.query(prometheus, "client_jobs_total")
            assert {x["metric"]["queue"] for x in series} == {'with "quotes", \\ and\nlines'}, series
            metadata = client.get(prometheus + "/api/v1/metadata?metric=client_seconds").expect(200).json()["data"]
            assert metadata["client_seconds"][0]["type"] == "histogram", metadata
        finally:
            path.write_text(before)
            client.post(s.url("prometheus", "/-/reload")).expect(200)


def test_prometheus_client_pushes():
    pc = python_client()
    s = stack.shared()
    gateway = s.url("pushgateway").removeprefix("http://")

    def registry(**values):
        made = pc.CollectorRegistry()
        for name, number in values.items():
            pc.Gauge(name, "Help.", registry=made).set(number)
        return made

    def stored():
        groups = client.get(s.url("pushgateway", "/api/v1/metrics")).expect(200).json()["data"]
        mine = [g for g in groups if g["labels"].get("job") == "batch" and g["labels"].get("instance") == "a/b"]
        assert len(mine) <= 1, mine
        names = [n for n in mine[0] if n.startswith("batch_")] if mine else []
        return {n: float(mine[0][n]["metrics"][0]["value"]) for n in names}

    key = {"instance": "a/b"}
    pc.push_to_gateway(gateway, job="batch", registry=registry(batch_a=1, batch_b=2), grouping_key=key)
    assert stored() == {"batch_a": 1, "batch_b": 2}
    pc.pushadd_to_gateway(gateway, job="batch", registry=registry(batch_b=3), grouping_key=key)
    assert stored() == {"batch_a": 1, "batch_b": 3}
    pc.push_to_gateway(gateway, job="batch", registry=registry(batch_c=4), grouping_key=key)
    assert stored() == {"batch_c": 4}
    pc.push_to_gateway(gateway, job="batch", registry=registry(batch_d=5), grouping_key=key, compression="gzip")
    assert stored() == {"batch_d": 5}
    prometheus = s.url("prometheus")
    until(lambda: api.value(prometheus, 'batch_d{job="batch",instance="a/b"}') == 5, "the push to be scraped")
    pc.delete_from_gateway(gateway, job="batch", grouping_key=key)
    assert stored() == {}
    until(lambda: api.value(prometheus, 'batch_d{job="batch"}') is None, "the series to be stale")


# --- OpenTelemetry ------------------------------------------------------------


def test_opentelemetry_sdk_over_http():
    def exporter(s):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=s.otlp_http + "/v1/traces", timeout=10)

    opentelemetry_traces("sdk-http", exporter)


def test_opentelemetry_sdk_over_http_with_gzip():
    def exporter(s):
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=s.otlp_http + "/v1/traces", timeout=10, compression=Compression.Gzip)

    opentelemetry_traces("sdk-http-gzip", exporter)


def test_opentelemetry_sdk_over_grpc():
    def exporter(s):
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=s.otlp_grpc, insecure=True, timeout=10)

    opentelemetry_traces("sdk-grpc", exporter)


def opentelemetry_traces(service, make_exporter):
    """A request as an application records it, found again through the query API by everything it has."""
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
    except ImportError:
        raise SkipTest("opentelemetry-sdk is not installed") from None
    s = stack.shared()

    class Checked(SpanExporter):
        def __init__(self, inner):
            self.inner, self.results = inner, []

        def export(self, spans):
            self.results.append(self.inner.export(spans))
            return self.results[-1]

        def shutdown(self):
            self.inner.shutdown()

    exporter = Checked(make_exporter(s))
    provider = TracerProvider(resource=Resource.create({"service.name": service, "host.name": "a"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("checkout", "1.0")
    marker = secrets.token_hex(4)
    with tracer.start_as_current_span("GET /cart", kind=trace.SpanKind.SERVER) as root:
        root.set_attribute("http.status_code", 500)
        root.set_attribute("marker", marker)
        with tracer.start_as_current_span("SELECT", kind=trace.SpanKind.CLIENT) as child:
            child.add_event("retry", {"attempt": 2})
            child.set_attribute("sizes", [1, 2, 3])
            child.set_status(trace.Status(trace.StatusCode.ERROR, "deadlock"))
    provider.shutdown()
    assert exporter.results == [SpanExportResult.SUCCESS] * 2, exporter.results

    jaeger = s.url("jaeger")
    trace_id = f"{root.get_span_context().trace_id:032x}"
    spans = {span["operationName"]: span for span in api.trace(jaeger, trace_id)}
    assert set(spans) == {"GET /cart", "SELECT"}, api.show(spans)
    tags = {t["key"]: (t["type"], t["value"]) for t in spans["SELECT"]["tags"]}
    assert tags["error"] == ("bool", True) and tags["span.kind"] == ("string", "client"), tags
    assert tags["otel.status_description"] == ("string", "deadlock"), tags
    assert tags["sizes"] == ("string", "[1,2,3]"), tags
    event = {f["key"]: f["value"] for f in spans["SELECT"]["logs"][0]["fields"]}
    assert event == {"event": "retry", "attempt": 2}, event
    parent = spans["SELECT"]["references"][0]
    assert (parent["refType"], parent["spanID"]) == ("CHILD_OF", spans["GET /cart"]["spanID"]), parent

    services = client.get(jaeger + "/api/services").expect(200).json()["data"]
    assert service in services, services
    operations = client.get(f"{jaeger}/api/services/{service}/operations").expect(200).json()["data"]
    assert set(operations) == {"GET /cart", "SELECT"}, operations
    for search in [
        {"service": service, "tags": f'{{"marker":"{marker}"}}'},
        {"service": service, "operation": "SELECT", "tag": "error:true"},
        {"service": service, "minDuration": "1ns", "tags": '{"http.status_code":"500"}'},
    ]:
        found = client.get(jaeger + "/api/traces", params={**search, "limit": 100}).expect(200).json()["data"]
        assert trace_id in [t["traceID"] for t in found], (search, len(found))
    none = client.get(jaeger + "/api/traces", params={"service": service, "minDuration": "1h"}).json()["data"]
    assert none == [], none


# --- promtool and amtool --------------------------------------------------------


def test_promtool_queries():
    s = stack.shared()
    server = s.url("prometheus")
    until(lambda: api.value(server, "count(up)") == 10, "a first scrape of all")
    assert "=> 10 @[" in peer("promtool", "query", "instant", server, "count(up)")
    now = time.time()
    start, end = f"--start={now - 2:.3f}", f"--end={now:.3f}"
    assert "42 @[" in peer("promtool", "query", "range", start, end, "--step=1s", server, "vector(42)")
    assert '__name__="up"' in peer("promtool", "query", "series", "--match=up", server)
    assert "cadvisor" in peer("promtool", "query", "labels", server, "job").split()


def test_promtool_accepts_the_shipped_files():
    with scratch() as directory:
        stack.copy_config(directory, 0, None)
        peer("promtool", "check", "config", str(directory / "prometheus/prometheus.yml"))
        for rules in sorted((directory / "prometheus/alerts").glob("*.yml")):
            assert "SUCCESS" in peer("promtool", "check", "rules", str(rules))


def test_promtool_reads_every_metrics_page():
    """`promtool check metrics` parses the page; what it says about style is about the names of the originals."""
    if not (PEERS / "promtool").exists():
        raise SkipTest("promtool is not installed")
    s = stack.shared()
    for service in stack.SERVICES:
        page = client.get(s.url(service, "/metrics")).expect(200).body
        done = subprocess.run([str(PEERS / "promtool"), "check", "metrics"], input=page, capture_output=True, timeout=30)
        assert b"error while linting" not in done.stderr, f"{service}: {done.stderr.decode()[:500]}"


def test_amtool_lists_alerts_and_silences_them():
    s = stack.shared()
    server = f"--alertmanager.url={s.url('alertmanager')}"
    alert = [{"labels": {"alertname": "FromAmtool", "host": "a"}, "annotations": {"summary": "A summary"}}]
    client.post(s.url("alertmanager", "/api/v2/alerts"), json=alert).expect(200)
    assert "FromAmtool" in peer("amtool", server, "alert", "query", "alertname=FromAmtool")
    made = peer("amtool", server, "silence", "add", "--author=me", "--comment=quiet", "alertname=FromAmtool").strip()
    assert made in peer("amtool", server, "silence", "query")
    assert "FromAmtool" not in peer("amtool", server, "alert", "query", "alertname=FromAmtool")
    peer("amtool", server, "silence", "expire", made)
    assert "FromAmtool" in peer("amtool", server, "alert", "query", "alertname=FromAmtool")
    assert "group_by" in peer("amtool", server, "config", "show")


def test_amtool_accepts_the_shipped_file():
    with scratch() as directory:
        stack.copy_config(directory, 0, None)
        assert "SUCCESS" in peer("amtool", "check-config", str(directory / "alertmanager/alertmanager.yml"))


# --- Our own libraries ------------------------------------------------------------


def test_our_python_library_reaches_the_stack():
    """The sample of the specification, and the value as Prometheus has it."""
    python_client()
    sys.path.insert(0, str(ROOT / "clients/python"))
    from monitoring.observability.prometheus_integration import ObservabilityStack

    s = stack.shared()

    async def record():
        observability = ObservabilityStack(pushgateway_url=s.url("pushgateway"))
        await observability.start()
        observability.record_ai_inference_metric("model_id", 0.042, True)
        await observability.stop()

    asyncio.run(record())
    expression = 'sum({__name__=~"cloudos_ai_inference.*_total", model_id="model_id"})'
    until(lambda: api.value(s.url("prometheus"), expression), "the recorded inference")


C_PROGRAM = """
#include <stdio.h>
#include "prometheus_client.h"

PROMETHEUS_COUNTER(request_count, "cloudos_kernel_requests_total", "System calls handled.");
PROMETHEUS_GAUGE(memory_usage, "cloudos_kernel_memory_bytes", "Memory the kernel holds.");

int main(void)
{
    static char page[4096];
    prometheus_register(&request_count->series);
    prometheus_register(&memory_usage->series);
    for (int i = 0; i < 7; i++)
        prometheus_counter_inc(request_count);
    prometheus_gauge_set(memory_usage, -4096);
    return fwrite(page, 1, prometheus_render(page, sizeof page), stdout) == 0;
}
"""


def test_our_c_library_reaches_the_stack():
    """A program written against the library; its page is pushed and found again."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise SkipTest("no C compiler")
    library = ROOT / "clients/c"
    with scratch() as directory:
        (directory / "program.c").write_text(C_PROGRAM)
        sources = [str(directory / "program.c"), str(library / "prometheus_client.c")]
        command = [compiler, "-std=c11", f"-I{library}", "-o", str(directory / "program"), *sources]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50)
        assert done.returncode == 0, done.stderr
        page = subprocess.run([str(directory / "program")], capture_output=True, timeout=10, check=True).stdout
    s = stack.shared()
    client.post(s.url("pushgateway", "/metrics/job/kernel"), page).expect(200)
    prometheus = s.url("prometheus")
    until(lambda: api.value(prometheus, "cloudos_kernel_requests_total") == 7, "the counter")
    assert api.value(prometheus, "cloudos_kernel_memory_bytes") == -4096


def own_tests(command, cwd, env=None):
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


@time_limit(120)
def test_our_python_library_passes_its_own_tests():
    python_client()
    own_tests([sys.executable, "-m", "unittest", "discover", "-s", "tests", "-t", "."], ROOT / "clients/python")


@time_limit(120)
def test_our_c_library_passes_its_own_tests():
    if not shutil.which("make") or not (shutil.which("cc") or shutil.which("gcc")):
        raise SkipTest("make or a C compiler is missing")
    with scratch() as directory:
        own_tests(["make", "-s", "-C", str(ROOT / "clients/c"), f"BUILD={directory}", "test"], ROOT)
