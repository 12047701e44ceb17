"""Alertmanagers that form a cluster, ours and the original, and a place where their notifications arrive."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import client
from process import Process, binary, free_port
from support import PEERS, SkipTest, until

# A silence that does not fit into a packet.
LONG = "long " * 300

CONFIG = """
route:
  receiver: team
  group_by: [alertname]
  group_wait: {group_wait}
  group_interval: {group_interval}
  repeat_interval: 1h
receivers:
  - name: team
    webhook_configs:
      - url: {url}
"""

# Everything faster than by default, in proportion.
TIMING = {
    "gossip-interval": "50ms",
    "pushpull-interval": "3s",
    "probe-interval": "400ms",
    "probe-timeout": "200ms",
    "reconnect-interval": "1s",
    "settle-timeout": "10s",
    "tcp-timeout": "3s",
}


class Webhooks:
    """Keeps what every member of a cluster told: (member, names of firing alerts, names of resolved ones)."""

    def __init__(self, host="127.0.0.1"):
        self.told, self.lock = [], threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                names = {"firing": set(), "resolved": set()}
                for alert in body["alerts"]:
                    names[alert["status"]].add(alert["labels"]["alertname"])
                with outer.lock:
                    outer.told.append((self.path.strip("/"), names["firing"], names["resolved"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{host}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def who_told(self, name, resolved=False):
        """The members that told of an alert, one entry per notification."""
        with self.lock:
            return [member for member, *names in self.told if name in names[1 if resolved else 0]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Member:
    """One Alertmanager, on loopback or in a place of `network.py`."""

    def __init__(self, directory, name, original, webhooks, place=None, peer_timeout="2s", extra=(), **times):
        self.name, self.directory, self.original = name, directory, original
        # In a network of its own, a member has the usual ports.
        self.address = f"{place.gossip}:9094" if place else f"127.0.0.1:{free_port()}"
        self.url = f"http://{place.web}:9093" if place else f"http://127.0.0.1:{free_port()}"
        wrap = place.wrap if place else ()
        times = {"group_wait": "1s", "group_interval": "3s", **times}
        self.file = directory / f"{name}.yml"
        self.file.write_text(CONFIG.format(url=f"{webhooks.url}/{name}", **times))
        program = [PEERS / "prometheus-alertmanager"] if original else [binary(), "alertmanager"]
        self.command = [
            *wrap, *program,
            f"--config.file={self.file}", f"--storage.path={directory / name}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            f"--cluster.listen-address={self.address}", f"--cluster.peer-name={name}",
            f"--cluster.peer-timeout={peer_timeout}", "--log.level=debug",
            *(f"--cluster.{key}={value}" for key, value in TIMING.items()), *extra,
        ]
        self.process = None

    def start(self, peers):
        command = [*self.command, *(f"--cluster.peer={peer.address}" for peer in peers if peer is not self)]
        self.process = Process(command, self.directory / f"{self.name}.log").start()
        return self

    def ready(self):
        return client.get(self.url + "/-/ready").status == 200

    def status(self):
        return client.get(self.url + "/api/v2/status").expect(200).json()["cluster"]

    def sees(self):
        return [peer["name"] for peer in self.status()["peers"]]

    def put(self, name, resolved=False, **dates):
        ends = {"endsAt": dates["endsAt"]} if resolved else {}
        alert = {"labels": {"alertname": name}, "startsAt": dates["startsAt"], **ends}
        client.post(self.url + "/api/v2/alerts", json=[alert]).expect(200)

    def silence(self, comment, id="", hours=1):
        """Makes a silence, or prolongs one it knows."""
        starts = client.get(f"{self.url}/api/v2/silence/{id}").expect(200).json()["startsAt"] if id else "2026-01-01T00:00:00Z"
        silence = {
            "id": id, "comment": comment, "createdBy": self.name,
            "matchers": [{"name": "alertname", "value": f"quiet-{comment[:20]}", "isRegex": False, "isEqual": True}],
            "startsAt": starts, "endsAt": f"{2090 + hours}-01-01T00:00:00Z",
        }
        return client.post(self.url + "/api/v2/silences", json=silence).expect(200).json()["silenceID"]

    def expire(self, id):
        client.request("DELETE", f"{self.url}/api/v2/silence/{id}").expect(200)

    def silences(self):
        """What it knows of each silence, without what differs by the moment of asking."""
        known = client.get(self.url + "/api/v2/silences").expect(200).json()
        return {s["id"]: (s["comment"], s["status"]["state"], s["endsAt"], json.dumps(s["matchers"])) for s in known}

    def kill(self):
        self.process.kill9()

    def close(self):
        if self.process:
            self.process.close()


def need_original():
    if not (PEERS / "prometheus-alertmanager").exists():
        raise SkipTest("the original is not installed")


def settle(members, seconds=30):
    """Waits until every member sees exactly these members and has settled."""
    names = sorted(member.name for member in members)
    for member in members:
        until(lambda: sorted(member.sees()) == names, f"{member.name} to see {names}", seconds)
        until(lambda: member.status()["status"] == "ready", f"{member.name} to settle", seconds)
