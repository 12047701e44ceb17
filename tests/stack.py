"""The whole stack as a person runs it: `cloudos-monitor up` on the repository's own configuration.

Only the ports differ (all moved by one offset, so that several stacks live on one machine) and, unless a test
asks otherwise, the scrape and evaluation intervals, because nobody wants to wait fifteen seconds.
"""

import re
import shutil
import tempfile
import time
from pathlib import Path

import client
from process import Process, binary, free_offset
from support import ROOT

# Name, port, and the path that answers 200 once the service is ready.
SERVICES = {
    "prometheus": (9090, "/-/ready"),
    "grafana": (3000, "/api/health"),
    "alertmanager": (9093, "/-/ready"),
    "loki": (3100, "/ready"),
    "jaeger": (16686, "/api/services"),
    "node-exporter": (9100, "/"),
    "cadvisor": (8080, "/healthz"),
    "promtail": (9080, "/ready"),
    "cloudos-exporter": (9200, "/-/healthy"),
    "pushgateway": (9091, "/-/ready"),
}
OTLP_GRPC, OTLP_HTTP = 4317, 4318
PORTS = [port for port, _ in SERVICES.values()] + [OTLP_GRPC, OTLP_HTTP]

CONFIG_FOLDERS = ["prometheus", "alertmanager", "loki", "promtail", "jaeger", "grafana"]

# Listening takes about a second; debug builds on a busy machine need more.
START_SECONDS = 30.0


class Stack(Process):
    """`edit` is called with the copied configuration directory before the first start."""

    def __init__(self, edit=None, interval="1s", env=None):
        self.dir = Path(tempfile.mkdtemp(prefix="cloudos-stack-"))
        self.offset = free_offset(PORTS)
        self.config = self.dir / "config"
        self.data = self.dir / "data"
        copy_config(self.config, self.offset, interval)
        if edit:
            edit(self.config)
        command = [
            binary(),
            "up",
            f"--config.dir={self.config}",
            f"--data.dir={self.data}",
            f"--listen.port-offset={self.offset}",
        ]
        # Configuration files refer to the data directory by this name.
        env = {"CLOUDOS_DATA_DIR": str(self.data), "CLOUDOS_LOG_LEVEL": "INFO", **(env or {})}
        # Where scripts/start-monitoring.sh puts it, and where Promtail looks for it.
        log = self.data / "logs" / "cloudos-monitor.log"
        log.parent.mkdir(parents=True)
        super().__init__(command, log, cwd=self.dir, env=env)
        self.start_seconds = None

    def start(self):
        began = time.monotonic()
        self.launch()
        self.wait_healthy()
        self.start_seconds = time.monotonic() - began
        return self

    def wait_healthy(self):
        waiting = dict(SERVICES)
        deadline = time.monotonic() + START_SECONDS
        while waiting:
            self.assert_running()
            for name, (_, path) in list(waiting.items()):
                try:
                    if client.get(self.url(name, path), timeout=2).status == 200:
                        del waiting[name]
                except OSError:
                    pass
            if waiting and time.monotonic() > deadline:
                names = ", ".join(waiting)
                raise AssertionError(f"not healthy after {START_SECONDS:g} s: {names}\n{self.log_tail()}")
            time.sleep(0.02)

    def restart(self):
        self.stop()
        return self.start()

    def url(self, service, path=""):
        return f"http://127.0.0.1:{SERVICES[service][0] + self.offset}{path}"

    @property
    def otlp_grpc(self):
        return f"http://127.0.0.1:{OTLP_GRPC + self.offset}"

    @property
    def otlp_http(self):
        return f"http://127.0.0.1:{OTLP_HTTP + self.offset}"

    def close(self):
        super().close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        try:
            return self if self.is_running() else self.start()
        except BaseException:
            self.close()
            raise


def copy_config(to, offset, interval):
    """The repository's configuration, with every port of the stack moved by `offset`."""
    for folder in CONFIG_FOLDERS:
        # Secrets are a person's own.
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("secrets", "tests"))
    (to / "alertmanager" / "secrets").mkdir(exist_ok=True)
    for path in [*to.rglob("*.yml"), *to.rglob("*.yaml")]:
        path.write_text(move_ports(path.read_text(), offset))
    if interval:
        replace_in(to / "prometheus" / "prometheus.yml", {
            "scrape_interval: 15s": f"scrape_interval: {interval}",
            "scrape_timeout: 10s": f"scrape_timeout: {interval}",
            "evaluation_interval: 15s": f"evaluation_interval: {interval}",
        })


def move_ports(text, offset):
    def moved(match):
        port = int(match.group(2))
        return match.group(1) + str(port + offset if port in PORTS else port)

    return re.sub(r"((?:localhost|127\.0\.0\.1):|listen_port: )(\d+)\b", moved, text)


def replace_in(path, changes):
    """Replaces texts that must be there: a changed default shows up as a failure, not as a silent no-op."""
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, f"{path.name} has no {old!r}"
        text = text.replace(old, new)
    path.write_text(text)


_shared = None


def shared():
    """One stack for all tests that only look or add; started when first needed, replaced if it died."""
    global _shared
    if _shared is not None and not _shared.is_running():
        close_shared()
    if _shared is None:
        _shared = Stack()
        try:
            _shared.start()
        except BaseException:
            close_shared()
            raise
    return _shared


def shared_log_size():
    return _shared.log.stat().st_size if _shared and _shared.log.exists() else 0


def shared_complaints(since, lines=20):
    """What the shared stack warned of since its log had that size."""
    if not _shared or not _shared.log.exists():
        return ""
    text = _shared.log.read_bytes()[since:].decode("utf-8", "replace")
    found = [line for line in text.splitlines() if "level=INFO" not in line and "level=DEBUG" not in line]
    return "\n".join("    | " + line for line in found[-lines:])


def close_shared():
    global _shared
    stack, _shared = _shared, None
    if stack:
        stack.close()
