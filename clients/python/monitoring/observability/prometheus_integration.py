"""CloudOS metrics for Python applications.

An ``ObservabilityStack`` owns one registry of the official ``prometheus_client``
and fills it with the metrics that CloudOS dashboards and alert rules refer to.
Recording is always possible, from any thread, and cheap; ``start()`` makes the
values visible, either by serving them for a scrape or by pushing them to a
Pushgateway. A metric appears with its first value, not before, so that an
application only reports what it knows.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Optional

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, push_to_gateway, start_http_server

logger = logging.getLogger("cloudos.observability")

DEFAULT_METRICS_PORT = 9200
DEFAULT_PUSHGATEWAY_URL = "http://localhost:9091"
INFERENCE_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)

# name: (class, help, labels). Counters gain "_total" from prometheus_client.
_METRICS: Dict[str, tuple] = {
    "cloudos_ai_inference_requests": (Counter, "Inference requests by result.", ("model_id", "status")),
    "cloudos_ai_inference_duration_seconds": (Histogram, "Time of one inference.", ("model_id",)),
    "cloudos_ai_model_loaded_count": (Gauge, "Models held in memory.", ("backend",)),
    "cloudos_container_cpu_usage_percent": (Gauge, "CPU usage; 100 is one core.", ("container_id", "container_name")),
    "cloudos_container_memory_usage_bytes": (Gauge, "Memory in use.", ("container_id", "container_name")),
    # A count that the container engine keeps. The client's Counter class would
    # rename it to ..._count_total, so it is set like a gauge.
    "cloudos_container_restart_count": (Gauge, "Restarts since creation.", ("container_id", "container_name")),
    "cloudos_security_events": (Counter, "Security events.", ("event_type", "severity")),
    "cloudos_auth_attempts": (Counter, "Authentication attempts by result.", ("result",)),
    "cloudos_active_sessions": (Gauge, "Users logged in.", ()),
    "cloudos_cluster_nodes_total": (Gauge, "Cluster nodes by state.", ("state",)),
    "cloudos_leader_election": (Counter, "Leader election events.", ("event_type",)),
    "cloudos_cost_optimization_savings": (Counter, "Cost saved.", ("provider", "action")),
    "cloudos_incidents": (Counter, "Incidents.", ("severity", "status")),
    "cloudos_remediation_actions": (Counter, "Automatic repairs.", ("action", "result")),
}

MetricCallback = Callable[["ObservabilityStack"], None]


class ObservabilityStack:
    """Records CloudOS metrics and makes them visible to Prometheus.

    metrics_port     port to serve on; default ``CLOUDOS_METRICS_PORT`` or 9200, 0 for any free one
    pushgateway_url  push there instead of serving; default ``CLOUDOS_PUSHGATEWAY_URL``
    job, instance    labels under which pushed metrics are grouped
    push_interval    seconds between two pushes
    address          address to serve on
    """

    def __init__(
        self,
        metrics_port: Optional[int] = None,
        pushgateway_url: Optional[str] = None,
        job: str = "cloudos_application",
        instance: Optional[str] = None,
        push_interval: float = 15.0,
        address: str = "127.0.0.1",
    ) -> None:
        self.metrics_port = _port_from_environment() if metrics_port is None else metrics_port
        self.pushgateway_url = pushgateway_url or os.environ.get("CLOUDOS_PUSHGATEWAY_URL") or None
        self.job = job
        self.instance = instance or socket.gethostname()
        self.push_interval = push_interval
        self.address = address
        self.registry = CollectorRegistry()

        self._callbacks: List[MetricCallback] = []
        self._callback_errors = 0
        # First in the registry: callbacks run before the values are read.
        self.registry.register(_CallbackCollector(self))
        self._metrics: Dict[str, Any] = {}
        self._lock = threading.Lock()

        self._mode = "stopped"
        self._server: Any = None
        self._thread: Optional[threading.Thread] = None
        self._stopping = threading.Event()
        self._pushes = 0
        self._last_push: Optional[float] = None
        self._last_push_error: Optional[str] = None

        level = os.environ.get("CLOUDOS_LOG_LEVEL")
        if level:
            logger.setLevel(level.upper())

    # --- Start and stop ---------------------------------------------------

    async def start(self) -> None:
        """Makes the metrics visible; does nothing when that is so already."""
        await asyncio.to_thread(self._start)

    async def stop(self) -> None:
        """Pushes a last time, or stops serving. Values are kept; start() may follow."""
        await asyncio.to_thread(self._stop)

    def _start(self) -> None:
        with self._lock:
            if self._mode != "stopped":
                return
            if self.pushgateway_url is None and self._serve():
                return
            url = self.pushgateway_url or DEFAULT_PUSHGATEWAY_URL
            self._stopping.clear()
            self._thread = threading.Thread(target=self._push_loop, args=(url,), name="cloudos-push", daemon=True)
            self._mode = "push"
            self._thread.start()
            logger.info("pushing metrics to %s every %g s", url, self.push_interval)

    def _serve(self) -> bool:
        try:
            self._server, self._thread = start_http_server(self.metrics_port, addr=self.address, registry=self.registry)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            logger.info("port %d is taken; metrics go to %s", self.metrics_port, DEFAULT_PUSHGATEWAY_URL)
            return False
        self._mode = "serve"
        logger.info("serving metrics on http://%s:%d/metrics", self.address, self._server.server_port)
        return True

    def _stop(self) -> None:
        with self._lock:
            mode, self._mode = self._mode, "stopped"
            if mode == "serve":
                self._server.shutdown()
                self._server.server_close()
                self._server = None
            elif mode == "push":
                self._stopping.set()
            if self._thread is not None:
                self._thread.join()
                self._thread = None

    def _push_loop(self, url: str) -> None:
        while True:
            last = self._stopping.is_set()
            self._push(url)
            if last:
                return
            self._stopping.wait(self.push_interval)

    def _push(self, url: str) -> None:
        try:
            push_to_gateway(url, job=self.job, registry=self.registry, grouping_key={"instance": self.instance}, timeout=5)
        except Exception as error:  # an unreachable gateway must never harm the application
            if self._last_push_error is None:
                logger.warning("cannot push metrics to %s: %s", url, error)
            self._last_push_error = str(error) or type(error).__name__
        else:
            self._pushes += 1
            self._last_push = time.time()
            self._last_push_error = None

    # --- Recording ----------------------------------------------------------

    def record_ai_inference_metric(self, model_id: str, duration: float, success: bool) -> None:
        """One inference: how long it took, in seconds, and whether it succeeded."""
        _check_amount("duration", duration)
        self._metric("cloudos_ai_inference_requests").labels(model_id, "success" if success else "failure").inc()
        self._metric("cloudos_ai_inference_duration_seconds").labels(model_id).observe(duration)

    def set_models_loaded(self, backend: str, count: int) -> None:
        _check_amount("count", count)
        self._metric("cloudos_ai_model_loaded_count").labels(backend).set(count)

    def record_container_metric(
        self,
        container_id: str,
        container_name: str,
        cpu_percent: Optional[float] = None,
        memory_bytes: Optional[float] = None,
        restart_count: Optional[int] = None,
    ) -> None:
        """Whatever is known of a container at this moment."""
        values = {
            "cloudos_container_cpu_usage_percent": cpu_percent,
            "cloudos_container_memory_usage_bytes": memory_bytes,
            "cloudos_container_restart_count": restart_count,
        }
        known = {name: _check_amount(name, value) for name, value in values.items() if value is not None}
        for name, value in known.items():
            self._metric(name).labels(container_id, container_name).set(value)

    def record_security_event(self, event_type: str, severity: str) -> None:
        self._metric("cloudos_security_events").labels(event_type, severity).inc()

    def record_auth_attempt(self, success: bool) -> None:
        self._metric("cloudos_auth_attempts").labels("success" if success else "failure").inc()

    def set_active_sessions(self, count: int) -> None:
        _check_amount("count", count)
        self._metric("cloudos_active_sessions").set(count)

    def set_cluster_nodes(self, healthy: int, unhealthy: int = 0, unknown: int = 0) -> None:
        nodes = {"healthy": healthy, "unhealthy": unhealthy, "unknown": unknown}
        for state, count in nodes.items():
            _check_amount(state, count)
        for state, count in nodes.items():
            self._metric("cloudos_cluster_nodes_total").labels(state).set(count)

    def record_leader_election(self, event_type: str) -> None:
        """``elected``, ``lost`` or ``failed``."""
        if event_type not in ("elected", "lost", "failed"):
            raise ValueError(f"unknown leader election event {event_type!r}; known are elected, lost, failed")
        self._metric("cloudos_leader_election").labels(event_type).inc()

    def record_cost_savings(self, provider: str, action: str, amount: float) -> None:
        _check_amount("amount", amount)
        self._metric("cloudos_cost_optimization_savings").labels(provider, action).inc(amount)

    def record_incident(self, severity: str, status: str) -> None:
        self._metric("cloudos_incidents").labels(severity, status).inc()

    def record_remediation_action(self, action: str, result: str) -> None:
        self._metric("cloudos_remediation_actions").labels(action, result).inc()

    def add_metric_callback(self, callback: MetricCallback) -> None:
        """Calls ``callback(stack)`` before each scrape or push, to set current values."""
        if not callable(callback):
            raise TypeError("a metric callback must be callable")
        if asyncio.iscoroutinefunction(callback):
            raise TypeError("a metric callback runs outside the event loop and cannot be a coroutine function")
        self._callbacks.append(callback)

    # --- Looking --------------------------------------------------------------

    def get_observability_status(self) -> Dict[str, Any]:
        serving = self._mode == "serve"
        return {
            "running": self._mode != "stopped",
            "mode": self._mode,
            "metrics_url": f"http://{self.address}:{self._server.server_port}/metrics" if serving else None,
            "pushgateway_url": (self.pushgateway_url or DEFAULT_PUSHGATEWAY_URL) if self._mode == "push" else None,
            "pushes": self._pushes,
            "last_push_timestamp_seconds": self._last_push,
            "last_push_error": self._last_push_error,
            "metrics": sorted(self._metrics),
            "callbacks": len(self._callbacks),
            "callback_errors": self._callback_errors,
        }

    # --- Inside -----------------------------------------------------------------

    def _metric(self, name: str) -> Any:
        metric = self._metrics.get(name)
        if metric is None:
            with _creation_lock:
                metric = self._metrics.get(name)
                if metric is None:
                    kind, text, labels = _METRICS[name]
                    options = {"buckets": INFERENCE_BUCKETS} if kind is Histogram else {}
                    metric = kind(name, text, labels, registry=self.registry, **options)
                    self._metrics[name] = metric
        return metric

    def _run_callbacks(self) -> None:
        for callback in list(self._callbacks):
            try:
                callback(self)
            except Exception:
                self._callback_errors += 1
                logger.exception("metric callback %r failed", callback)


_creation_lock = threading.Lock()


class _CallbackCollector:
    """Has no metrics of its own; being asked for them is the signal."""

    def __init__(self, stack: ObservabilityStack) -> None:
        self._stack = stack

    def describe(self) -> list:
        return []

    def collect(self) -> list:
        self._stack._run_callbacks()
        return []


def _check_amount(name: str, value: float) -> float:
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a number from 0 up, not {value!r}")
    return value


def _port_from_environment() -> int:
    text = os.environ.get("CLOUDOS_METRICS_PORT") or str(DEFAULT_METRICS_PORT)
    if not (text.isdigit() and 0 <= int(text) <= 65535):
        raise ValueError(f"CLOUDOS_METRICS_PORT must be a port number, not {text!r}")
    return int(text)
