"""Everything runs on loopback and on ports the system chooses."""

import os
import queue
import socket
import threading
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.observability import prometheus_integration
from monitoring.observability.prometheus_integration import ObservabilityStack


def samples(text):
    """{(name, labels): value} of an exposition, without the client's *_created."""
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if not s.name.endswith("_created")
    }


def rendered(stack):
    return samples(generate_latest(stack.registry).decode())


def key(name, **labels):
    return (name, tuple(sorted(labels.items())))


class Pushgateway:
    """Keeps the requests it gets."""

    def __init__(self, status=200):
        self.requests = queue.Queue()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                gateway.requests.put((self.path, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Recording(unittest.TestCase):
    def test_every_metric_has_its_documented_name_and_labels(self):
        cases = [
            (lambda s: s.set_models_loaded("onnx", 3), key("cloudos_ai_model_loaded_count", backend="onnx"), 3),
            (lambda s: s.record_security_event("scan", "high"),
             key("cloudos_security_events_total", event_type="scan", severity="high"), 1),
            (lambda s: s.record_auth_attempt(True), key("cloudos_auth_attempts_total", result="success"), 1),
            (lambda s: s.record_auth_attempt(success=False), key("cloudos_auth_attempts_total", result="failure"), 1),
            (lambda s: s.set_active_sessions(4), key("cloudos_active_sessions"), 4),
            (lambda s: s.set_cluster_nodes(2, unknown=1), key("cloudos_cluster_nodes_total", state="unknown"), 1),
            (lambda s: s.set_cluster_nodes(2), key("cloudos_cluster_nodes_total", state="healthy"), 2),
            (lambda s: s.record_leader_election("lost"), key("cloudos_leader_election_total", event_type="lost"), 1),
            (lambda s: s.record_cost_savings("aws", "resize", 2.5),
             key("cloudos_cost_optimization_savings_total", provider="aws", action="resize"), 2.5),
            (lambda s: s.record_incident("high", "open"),
             key("cloudos_incidents_total", severity="high", status="open"), 1),
            (lambda s: s.record_remediation_action("restart", "success"),
             key("cloudos_remediation_actions_total", action="restart", result="success"), 1),
            (lambda s: s.record_container_metric("c1", "web", cpu_percent=12.5),
             key("cloudos_container_cpu_usage_percent", container_id="c1", container_name="web"), 12.5),
            (lambda s: s.record_container_metric("c1", "web", memory_bytes=1024),
             key("cloudos_container_memory_usage_bytes", container_id="c1", container_name="web"), 1024),
            (lambda s: s.record_container_metric("c1", "web", restart_count=7),
             key("cloudos_container_restart_count", container_id="c1", container_name="web"), 7),
        ]
        for record, expected, value in cases:
            with self.subTest(expected[0]):
                stack = ObservabilityStack()
                record(stack)
                self.assertEqual(rendered(stack).get(expected), value)

    def test_an_inference_counts_and_is_timed(self):
        stack = ObservabilityStack()
        stack.record_ai_inference_metric("bert", 0.05, True)
        stack.record_ai_inference_metric("bert", 0.06, False)
        got = rendered(stack)
        self.assertEqual(got[key("cloudos_ai_inference_requests_total", model_id="bert", status="success")], 1)
        self.assertEqual(got[key("cloudos_ai_inference_requests_total", model_id="bert", status="failure")], 1)
        buckets = {dict(k[1])["le"]: v for k, v in got.items() if k[0] == "cloudos_ai_inference_duration_seconds_bucket"}
        self.assertEqual(
            buckets,
            {"0.001": 0, "0.005": 0, "0.01": 0, "0.05": 1, "0.1": 2, "0.5": 2, "1.0": 2, "5.0": 2, "10.0": 2, "+Inf": 2},
        )
        self.assertAlmostEqual(got[key("cloudos_ai_inference_duration_seconds_sum", model_id="bert")], 0.11)

    def test_nothing_is_reported_that_was_not_recorded(self):
        self.assertEqual(rendered(ObservabilityStack()), {})

    def test_nonsense_is_refused(self):
        stack = ObservabilityStack()
        for call in (
            lambda: stack.record_ai_inference_metric("m", -1, True),
            lambda: stack.record_ai_inference_metric("m", float("nan"), True),
            lambda: stack.set_active_sessions("many"),
            lambda: stack.record_container_metric("c", "n", cpu_percent=float("inf")),
            lambda: stack.record_container_metric("c", "n", cpu_percent=1, memory_bytes=-1),
            lambda: stack.set_cluster_nodes(1, -1),
            lambda: stack.set_models_loaded("onnx", -1),
            lambda: stack.record_cost_savings("p", "a", -2),
            lambda: stack.record_leader_election("won"),
        ):
            with self.assertRaises(ValueError):
                call()
        self.assertEqual(rendered(stack), {})

    def test_many_threads(self):
        stack = ObservabilityStack()
        threads = [
            threading.Thread(target=lambda: [stack.record_auth_attempt(True) for _ in range(1000)]) for _ in range(8)
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(rendered(stack)[key("cloudos_auth_attempts_total", result="success")], 8000)


class Callbacks(unittest.TestCase):
    def test_they_run_before_each_reading(self):
        stack = ObservabilityStack()
        readings = iter([1, 2])
        stack.add_metric_callback(lambda s: s.set_active_sessions(next(readings)))
        stack.set_active_sessions(0)
        self.assertEqual(rendered(stack)[key("cloudos_active_sessions")], 1)
        self.assertEqual(rendered(stack)[key("cloudos_active_sessions")], 2)

    def test_one_that_fails_does_not_stop_the_others(self):
        stack = ObservabilityStack()
        stack.add_metric_callback(lambda s: 1 / 0)
        stack.add_metric_callback(lambda s: s.set_active_sessions(5))
        stack.set_active_sessions(0)
        with self.assertLogs("cloudos.observability", "ERROR"):
            self.assertEqual(rendered(stack)[key("cloudos_active_sessions")], 5)
        self.assertEqual(stack.get_observability_status()["callback_errors"], 1)

    def test_only_functions_that_can_be_called_are_taken(self):
        stack = ObservabilityStack()

        async def coroutine(_):
            pass

        for wrong in (None, 7, coroutine):
            with self.assertRaises(TypeError):
                stack.add_metric_callback(wrong)


class Serving(unittest.IsolatedAsyncioTestCase):
    async def test_metrics_are_served_from_start_to_stop(self):
        stack = ObservabilityStack(metrics_port=0)
        self.assertFalse(stack.get_observability_status()["running"])
        await stack.start()
        await stack.start()  # harmless
        try:
            status = stack.get_observability_status()
            self.assertEqual(status["mode"], "serve")
            stack.record_auth_attempt(True)
            with urllib.request.urlopen(status["metrics_url"], timeout=10) as answer:
                got = samples(answer.read().decode())
            self.assertEqual(got[key("cloudos_auth_attempts_total", result="success")], 1)
        finally:
            await stack.stop()
        self.assertEqual(stack.get_observability_status()["mode"], "stopped")
        with self.assertRaises(OSError):
            urllib.request.urlopen(status["metrics_url"], timeout=10)

    async def test_a_taken_port_leads_to_the_pushgateway(self):
        with socket.socket() as taken, Pushgateway() as gateway:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with mock.patch.object(prometheus_integration, "DEFAULT_PUSHGATEWAY_URL", gateway.url):
                stack = ObservabilityStack(metrics_port=taken.getsockname()[1])
                await stack.start()
                status = stack.get_observability_status()
                gateway.requests.get(timeout=30)
                await stack.stop()
            self.assertEqual((status["mode"], status["pushgateway_url"]), ("push", gateway.url))


class Pushing(unittest.IsolatedAsyncioTestCase):
    async def test_the_last_value_is_pushed_at_the_end(self):
        with Pushgateway() as gateway:
            stack = ObservabilityStack(pushgateway_url=gateway.url, job="shop", instance="host-1", push_interval=3600)
            await stack.start()
            gateway.requests.get(timeout=30)  # the first, at once
            stack.record_auth_attempt(False)
            await stack.stop()
            path, body = gateway.requests.get(timeout=30)
            self.assertEqual(path, "/metrics/job/shop/instance/host-1")
            self.assertEqual(samples(body)[key("cloudos_auth_attempts_total", result="failure")], 1)
            self.assertEqual(stack.get_observability_status()["pushes"], 2)
            self.assertIsNone(stack.get_observability_status()["last_push_error"])

    async def test_a_refusing_gateway_is_reported_and_harms_nobody(self):
        with Pushgateway(status=500) as gateway:
            stack = ObservabilityStack(pushgateway_url=gateway.url, push_interval=3600)
            with self.assertLogs("cloudos.observability", "WARNING"):
                await stack.start()
                await stack.stop()
            status = stack.get_observability_status()
            self.assertEqual(status["pushes"], 0)
            self.assertIn("500", status["last_push_error"])

    async def test_it_starts_again_after_a_stop(self):
        with Pushgateway() as gateway:
            stack = ObservabilityStack(pushgateway_url=gateway.url, push_interval=3600)
            for _ in range(2):
                await stack.start()
                await stack.stop()
            self.assertEqual(stack.get_observability_status()["pushes"], 4)


class Environment(unittest.TestCase):
    def test_variables_are_the_defaults_and_arguments_win(self):
        environment = {"CLOUDOS_METRICS_PORT": "9321", "CLOUDOS_PUSHGATEWAY_URL": "http://gateway:9091"}
        with mock.patch.dict(os.environ, environment):
            stack = ObservabilityStack()
            self.assertEqual((stack.metrics_port, stack.pushgateway_url), (9321, "http://gateway:9091"))
            stack = ObservabilityStack(metrics_port=1, pushgateway_url="http://other:9091")
            self.assertEqual((stack.metrics_port, stack.pushgateway_url), (1, "http://other:9091"))
        with mock.patch.dict(os.environ, clear=False):
            os.environ.pop("CLOUDOS_METRICS_PORT", None)
            os.environ.pop("CLOUDOS_PUSHGATEWAY_URL", None)
            stack = ObservabilityStack()
            self.assertEqual((stack.metrics_port, stack.pushgateway_url), (9200, None))

    def test_a_wrong_port_is_named(self):
        for wrong in ("http", "-1", "70000"):
            with mock.patch.dict(os.environ, {"CLOUDOS_METRICS_PORT": wrong}):
                with self.assertRaisesRegex(ValueError, "CLOUDOS_METRICS_PORT"):
                    ObservabilityStack()


if __name__ == "__main__":
    unittest.main()
