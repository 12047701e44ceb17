#!/usr/bin/env python3
"""Measures an Alertmanager under many active alerts: how fast it takes them, what they cost, how fast it shows them.

    scripts/alert-load.py COMMAND...           say  target/release/cloudos-monitor alertmanager
    ALERTS=25000 BATCH=100 CLIENTS=2 scripts/alert-load.py prometheus-alertmanager

The program is started on a loopback port with an empty directory and a receiver nobody listens for. Alerts are new,
200 alertnames, about 500 bytes each. Every figure is one line: name, value, unit.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ALERTS = int(os.environ.get("ALERTS", "25000"))
BATCH = int(os.environ.get("BATCH", "100"))
CLIENTS = int(os.environ.get("CLIENTS", "2"))
PORT = int(os.environ.get("PORT", "19393"))

CONFIG = """
route: {receiver: none, group_by: [alertname], group_wait: 1h}
receivers: [{name: none}]
"""


def alert(i):
    return {
        "labels": {
            "alertname": f"HighErrorRate{i % 200}", "instance": f"host-{i:06d}.example:9100", "job": f"service-{i % 40}",
            "severity": ["warning", "critical", "info"][i % 3], "cluster": "eu-west-1", "pod": f"web-{i:06d}-x7k2p",
        },
        "annotations": {
            "summary": f"Error rate of host-{i:06d} is high",
            "description": f"More than 5% of the requests of web-{i:06d} failed within the last ten minutes.",
        },
        "generatorURL": f"http://prometheus.example:9090/graph?g0.expr=rate%28errors%5B5m%5D%29&g0.tab={i % 200}",
    }


def rss_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(name, value, unit):
    print(f"{name:<28}{value:>12.1f} {unit}", flush=True)


def post(bodies, failed):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    for body in bodies:
        connection.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        if reply.status != 200:
            failed.append(reply.status)
    connection.close()


def send(name, bodies, pid):
    failed, before, started = [], cpu_seconds(pid), time.monotonic()
    threads = [threading.Thread(target=post, args=(bodies[i::CLIENTS], failed)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.monotonic() - started
    assert not failed, failed[:5]
    show(name, ALERTS / taken, "alerts/s")
    show(f"{name}, processor", (cpu_seconds(pid) - before) / ALERTS * 1e6, "µs/alert")


def get(path):
    """The median of seven, in milliseconds, and the size of the reply."""
    times = []
    for _ in range(7):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        started = time.monotonic()
        connection.request("GET", path)
        reply = connection.getresponse()
        size = len(reply.read())
        times.append((time.monotonic() - started) * 1000)
        assert reply.status == 200, reply.status
        connection.close()
    return sorted(times)[3], size


def main():
    command = sys.argv[1:] or sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "am.yml").write_text(CONFIG)
        flags = [f"--config.file={directory}/am.yml", f"--storage.path={directory}/data", f"--web.listen-address=127.0.0.1:{PORT}", "--cluster.listen-address="]
        with open(f"{directory}/log", "wb") as log:
            child = subprocess.Popen([*command, *flags], stdout=log, stderr=log)
        try:
            for _ in range(200):
                try:
                    get("/-/ready")
                    break
                except OSError:
                    time.sleep(0.1)
            show("RSS, idle", rss_mb(child.pid), "MB")
            batches = [json.dumps([alert(i) for i in range(at, min(at + BATCH, ALERTS))]) for at in range(0, ALERTS, BATCH)]
            send("new", batches, child.pid)
            show("RSS, alerts held", rss_mb(child.pid), "MB")
            send("known", batches, child.pid)
            for name, path in [
                ("GET all", "/api/v2/alerts"),
                ("GET one label", "/api/v2/alerts?filter=job%3D%22service-7%22"),
                ("GET one alert", "/api/v2/alerts?filter=instance%3D%22host-000777.example%3A9100%22"),
                ("GET groups", "/api/v2/alerts/groups"),
            ]:
                median, size = get(path)
                show(name, median, f"ms  ({size / 1e6:.2f} MB)")
            show("RSS, after reading", rss_mb(child.pid), "MB")
        finally:
            child.terminate()
            child.wait()


if __name__ == "__main__":
    main()
