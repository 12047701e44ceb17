#!/usr/bin/env python3
"""Measures how far from their moments an Alertmanager's notifications arrive.

    scripts/alert-timing.py COMMAND...         say  target/release/cloudos-monitor alertmanager
    GROUPS=50 scripts/alert-timing.py prometheus-alertmanager

Groups wait 1 s, are flushed every 2 s and repeat what they said after 5 s, which is the third flush. Every group gets
an alert, a second one later, and the end of both; each notification is compared with the flush it belongs to. One line
for each kind: how many there were, and the earliest, the median and the latest deviation in milliseconds.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

GROUPS = int(os.environ.get("GROUPS", "50"))
PORT = int(os.environ.get("PORT", "19394"))
WAIT, INTERVAL, REPEAT = 1.0, 2.0, 5.0
CONFIG = f"""
route: {{receiver: hook, group_by: [alertname], group_wait: {WAIT:.0f}s, group_interval: {INTERVAL:.0f}s, repeat_interval: {REPEAT:.0f}s}}
receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:SINK/'}}]}}]
"""
arrived = []


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        at = time.time()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        arrived.append((at, body["groupLabels"]["alertname"], body["notification_reason"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def post(alerts):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).read()


def date(seconds):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def alert(group, name, ends=None):
    made = {"labels": {"alertname": f"g{group}", "name": name}}
    return made if ends is None else {**made, "endsAt": date(ends)}


def main():
    command = sys.argv[1:] or sys.exit(__doc__)
    # The default queue of 5 makes a burst wait for the kernel's retransmissions, which is not what is measured.
    ThreadingHTTPServer.request_queue_size = 1024
    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    sink.daemon_threads = True
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "am.yml").write_text(CONFIG.replace("SINK", str(sink.server_address[1])))
        flags = [f"--config.file={directory}/am.yml", f"--storage.path={directory}/data", f"--web.listen-address=127.0.0.1:{PORT}", "--cluster.listen-address="]
        with open(f"{directory}/log", "wb") as log:
            child = subprocess.Popen([*command, *flags], stdout=log, stderr=log)
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/-/ready", timeout=5).read()
                    break
                except OSError:
                    time.sleep(0.1)
            zero = time.time()
            post([alert(group, "a") for group in range(GROUPS)])
            time.sleep(2.0)
            # Heard of at the second flush.
            post([alert(group, "b") for group in range(GROUPS)])
            time.sleep(9.5)
            post([alert(group, name, ends=-0.001) for group in range(GROUPS) for name in "ab"])
            time.sleep(3.5)
        finally:
            child.terminate()
            child.wait()
    kinds = {}
    for at, _, reason in arrived:
        flush = round((at - zero - WAIT) / INTERVAL)
        kinds.setdefault(reason, []).append((at - zero - WAIT - flush * INTERVAL) * 1000)
    for reason, deviations in kinds.items():
        deviations.sort()
        print(f"{reason:<26}{len(deviations):>5}  {deviations[0]:+8.1f} {deviations[len(deviations) // 2]:+8.1f} {deviations[-1]:+8.1f} ms")


if __name__ == "__main__":
    main()
