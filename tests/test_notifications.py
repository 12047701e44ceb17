"""Side by side with the original: the same alerts through the same configuration give the same notifications.

Every scenario of `scenarios.py` is played to this program and to the original at the same time. Compared are the
messages of each receiver and group in their order, byte by byte, without times and ids. SCENARIOS=text plays only
those with the text in their name.
"""

import json
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import client
from process import Process, binary, free_port
from scenarios import SCENARIOS, UNIT
from support import PEERS, SkipTest, scratch, time_limit, until

AT_ONCE = 5
# A busy machine can move a message over a tick: a scenario is different only if it is so each time.
ROUNDS = 3


class Sink:
    """Takes webhooks, answers as told, 200 otherwise."""

    def __init__(self):
        self.messages, self.answers, self.lock = [], {}, threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with outer.lock:
                    outer.messages.append((self.path, body))
                    told = outer.answers.get(self.path) or [200]
                    status = told.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Side:
    """One Alertmanager under a scenario, with its sink."""

    def __init__(self, directory, name, command, text):
        self.sink, self.file = Sink(), directory / f"{name}.yml"
        self.configure(text)
        self.url = f"http://127.0.0.1:{free_port()}"
        flags = [
            f"--config.file={self.file}", f"--storage.path={directory / name}", "--web.external-url=http://am.example",
            "--cluster.listen-address=", f"--web.listen-address={self.url.removeprefix('http://')}", "--web.route-prefix=/",
        ]
        self.process = Process([*command, *flags], directory / f"{name}.log").start()
        self.silences = []

    def configure(self, text):
        self.file.write_text(text.replace("URL", self.sink.url))

    def ready(self):
        return client.get(self.url + "/-/ready").status == 200

    def act(self, action, value, zero):
        if action == "alerts":
            # One with an error in it is refused in part, on both sides.
            client.post(self.url + "/api/v2/alerts", json=[timed(alert, zero) for alert in value])
        elif action == "silence":
            made = client.post(self.url + "/api/v2/silences", json=timed(value, zero)).expect(200).json()
            self.silences.append(made["silenceID"])
        elif action == "expire":
            client.request("DELETE", f"{self.url}/api/v2/silence/{self.silences[value]}").expect(200)
        elif action == "answers":
            self.sink.answers[value[0]] = list(value[1])
        elif action == "reload":
            if value is not None:
                self.configure(value)
            client.post(self.url + "/-/reload", "")
        else:
            raise AssertionError(action)

    def told(self):
        """Messages by receiver's path and group, in their order."""
        groups = {}
        for path, body in self.sink.messages:
            groups.setdefault(f"{path} {json.loads(body)['groupKey']}", []).append(without_times(body))
        return groups

    def close(self):
        self.process.close()
        self.sink.close()


def timed(thing, zero):
    """The thing with its moments, given in units, as dates."""
    date = lambda units: datetime.fromtimestamp(zero + units * UNIT, timezone.utc).isoformat().replace("+00:00", "Z")
    return {key: date(value) if key in ("startsAt", "endsAt") else value for key, value in thing.items()}


def without_times(body):
    # `routeLabels` came with 0.34; an original before that does not know it.
    body = body.replace('"routeLabels":{},', "")
    return re.sub(r'"(startsAt|endsAt)":"(?!0001)[^"]*"', r'"\1":"T"', body)


def play(name):
    """What both sides told, and their logs."""
    text, steps, lasts = SCENARIOS[name]
    with scratch() as directory:
        sides = [
            Side(directory, "ours", [binary(), "alertmanager"], text),
            Side(directory, "theirs", [PEERS / "prometheus-alertmanager"], text),
        ]
        try:
            for side in sides:
                until(side.ready, f"{name}: an Alertmanager")
            zero = time.time() + 0.1
            for at, action, value in steps:
                time.sleep(max(0.0, zero + at * UNIT - time.time()))
                for side in sides:
                    side.act(action, value, zero)
            time.sleep(max(0.0, zero + lasts * UNIT - time.time()))
            return [side.told() for side in sides]
        finally:
            for side in sides:
                side.close()


def differences(name):
    """None when both told the same in one of the rounds."""
    for _ in range(ROUNDS):
        ours, theirs = play(name)
        if ours == theirs:
            return None
    groups = sorted({*ours, *theirs})
    lines = [f"{name}: {group}\n  ours   {ours.get(group)}\n  theirs {theirs.get(group)}" for group in groups if ours.get(group) != theirs.get(group)]
    return "\n".join(lines)


@time_limit(240)
def test_the_original_tells_the_same():
    if not (PEERS / "prometheus-alertmanager").exists():
        raise SkipTest("the original is not installed")
    names = [name for name in SCENARIOS if os.environ.get("SCENARIOS", "") in name]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [text for text in pool.map(differences, names) if text]
    assert not found, f"{len(found)} of {len(names)} scenarios differ\n" + "\n".join(found)
    print(f"        {len(names)} scenarios", flush=True)
