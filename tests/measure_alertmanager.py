#!/usr/bin/env python3
"""Measures an Alertmanager beside the original: punctuality of notifications, and life with many alerts.

    tests/measure_alertmanager.py timing [GROUPS]     how far from its moment each notification arrives
    tests/measure_alertmanager.py load [ALERTS]       alerts a second, memory, time and CPU of reading them back

Nothing is judged here: figures go to docs/performance.md. The binary is the one `tests/run.py` would take; without
the original's program only ours is measured.
"""

import json
import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import client
from process import Process, binary, free_port
from support import PEERS, scratch, until

WAIT, INTERVAL, REPEAT = 1.0, 2.0, 5.0
TIMING = f"""
route: {{receiver: sink, group_by: [group], group_wait: {WAIT:g}s, group_interval: {INTERVAL:g}s, repeat_interval: {REPEAT:g}s}}
receivers: [{{name: sink, webhook_configs: [{{url: 'URL'}}]}}]
"""
LOAD = """
route: {receiver: sink, group_by: [alertname], group_wait: 1h, group_interval: 1h, repeat_interval: 4h}
receivers: [{name: sink}]
"""
BATCH, POSTERS = 500, 2


def sides():
    yield "ours", [binary(), "alertmanager"]
    if (PEERS / "prometheus-alertmanager").exists():
        yield "theirs", [PEERS / "prometheus-alertmanager"]


class Server:
    def __init__(self, directory, name, command, text):
        (directory / f"{name}.yml").write_text(text)
        self.address = f"127.0.0.1:{free_port()}"
        flags = [f"--config.file={directory / name}.yml", f"--storage.path={directory / name}", f"--web.listen-address={self.address}", "--cluster.listen-address=", "--log.level=error"]
        self.process = Process([*command, *flags], directory / f"{name}.log").start()
        self.url = f"http://{self.address}"
        until(lambda: client.get(self.url + "/-/ready").status == 200, "an Alertmanager")

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, key="VmRSS"):
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{self.process.pid}/status") if line.startswith(key))


def sink():
    arrivals = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            now = time.time()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            arrivals.append((body["groupLabels"]["group"], now, body["status"], len(body["alerts"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, arrivals


def timing(groups):
    """Each group: one alert, a second half an interval later, a repetition, the end of both."""
    for name, command in sides():
        with scratch() as directory:
            server, arrivals = sink()
            am = Server(directory, name, command, TIMING.replace("URL", f"http://127.0.0.1:{server.server_address[1]}"))
            posted = {}

            def life(group):
                def post(i, **more):
                    client.post(am.url + "/api/v2/alerts", json=[{"labels": {"alertname": "A", "group": group, "i": i}, **more}]).expect(200)

                time.sleep(int(group) / groups * INTERVAL)
                posted[group] = time.time()
                post("1")
                time.sleep(WAIT + INTERVAL / 2)
                post("2")
                # The second notification comes at the first tick; the repetition at the first tick after REPEAT.
                time.sleep(INTERVAL / 2 + REPEAT + 1.5 * INTERVAL)
                moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
                for i in "12":
                    post(i, startsAt="2020-01-01T00:00:00Z", endsAt=moment)

            with ThreadPoolExecutor(groups) as pool:
                list(pool.map(life, (str(i) for i in range(groups))))
            time.sleep(2 * INTERVAL)
            am.process.close()
            server.shutdown()
        off = {"group_wait": [], "group_interval": [], "repeat_interval": [], "resolve": []}
        for group, zero in posted.items():
            mine = [a for a in arrivals if a[0] == group]
            # On a machine too busy for the script itself a post may miss its tick; that says nothing of the server.
            if [m[2:] for m in mine] != [("firing", 1), ("firing", 2), ("firing", 2), ("resolved", 2)]:
                print(f"{name:7} group {group} left out: {[m[2:] for m in mine]}", flush=True)
                continue
            ticks = [zero + WAIT, zero + WAIT + INTERVAL]
            # Repeated at the first tick at which the last notification is older than the interval.
            ticks.append(ticks[1] + -(-REPEAT // INTERVAL) * INTERVAL)
            ended = mine[3][1]
            ticks.append(ticks[0] + round((ended - ticks[0]) / INTERVAL) * INTERVAL)
            for key, due, message in zip(off, ticks, mine):
                off[key].append((message[1] - due) * 1000)
        for key, values in off.items():
            if not values:
                continue
            print(f"{name:7} {key:16} {len(values)} groups, ms from due: least {min(values):.1f}, median {statistics.median(values):.1f}, most {max(values):.1f}", flush=True)


def alert(i):
    labels = {"alertname": f"Alert{i % 50}", "instance": f"host-{i % 5000}:9100", "job": "node", "severity": "warning", "team": f"team-{i % 7}", "zone": f"zone-{i % 3}", "id": str(i)}
    return {"labels": labels, "annotations": {"summary": f"Something is wrong with host-{i % 5000}", "description": "It has been so for five minutes, and it should not."}, "generatorURL": f"http://prometheus:9090/graph?g0.expr=up&i={i % 50}"}


def load(count):
    bodies = [json.dumps([alert(i) for i in range(start, min(start + BATCH, count))]) for start in range(0, count, BATCH)]
    for name, command in sides():
        with scratch() as directory:
            am = Server(directory, name, command, LOAD)
            idle = am.memory()

            def post(share):
                connection = HTTPConnection(am.address)
                for body in share:
                    connection.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
                    response = connection.getresponse()
                    assert response.status == 200, response.read()
                    response.read()

            def all_at_once():
                began, cpu = time.monotonic(), am.cpu()
                with ThreadPoolExecutor(POSTERS) as pool:
                    list(pool.map(post, [bodies[i::POSTERS] for i in range(POSTERS)]))
                return time.monotonic() - began, am.cpu() - cpu

            took, cpu = all_at_once()
            print(f"{name:7} {count} new alerts: {count / took:.0f}/s, {cpu:.2f} CPU s", flush=True)
            took, cpu = all_at_once()
            print(f"{name:7} the same again: {count / took:.0f}/s, {cpu:.2f} CPU s", flush=True)
            time.sleep(3)
            for what, path in [("all", "/api/v2/alerts"), ("filtered", "/api/v2/alerts?filter=instance%3D%22host-7%3A9100%22"), ("by pattern", "/api/v2/alerts?filter=team%3D~%22team-%5B12%5D%22"), ("groups", "/api/v2/alerts/groups")]:
                times, cpu, rounds = [], am.cpu(), 10
                for _ in range(rounds):
                    began = time.monotonic()
                    size = len(client.get(am.url + path, timeout=60).expect(200).body)
                    times.append(time.monotonic() - began)
                print(f"{name:7} GET {what:10} {size:9} bytes, median {statistics.median(times) * 1000:.1f} ms, {(am.cpu() - cpu) / rounds * 1000:.1f} CPU ms", flush=True)
            print(f"{name:7} memory: idle {idle:.0f} MiB, now {am.memory():.0f} MiB, most {am.memory('VmHWM'):.0f} MiB", flush=True)
            am.process.close()


if __name__ == "__main__":
    what, number = sys.argv[1:2], sys.argv[2:3]
    if what == ["timing"]:
        timing(int(number[0]) if number else 40)
    elif what == ["load"]:
        load(int(number[0]) if number else 25_000)
    else:
        sys.exit(__doc__)
