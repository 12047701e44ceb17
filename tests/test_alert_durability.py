"""`kill -9` at any moment: whoever was promised news gets it, and silences stay.

Alerts are posted once and never again, as no Prometheus would do it, and their receiver fails in every way it can.
What the Alertmanager acknowledged must reach the receiver all the same. ALERT_DURABILITY_MINUTES=30 runs it longer.
"""

import json
import os
import random
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import client
from process import Process, ProcessEnded, binary, free_port
from support import scratch, time_limit, until

MINUTES = float(os.environ.get("ALERT_DURABILITY_MINUTES", "0.5"))
SEED = int(os.environ.get("ALERT_DURABILITY_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
CONFIG = """
route: {receiver: flaky, group_by: [id], group_wait: 100ms, group_interval: 300ms, repeat_interval: 24h}
receivers:
  - name: flaky
    webhook_configs: [{url: 'URL/', timeout: 1s}]
"""


class Flaky:
    """Takes a message, or says no, or hangs up, or does not answer at all. `firing` and `resolved` hold ids."""

    def __init__(self, chance):
        self.firing, self.resolved, self.refused = {}, {}, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                mood = chance.random()
                if mood < 0.3:
                    outer.refused += 1
                    if mood < 0.1:
                        self.close_connection = True
                        return
                    if mood < 0.13:
                        time.sleep(1.5)
                    self.answer(500 if mood < 0.25 else 503)
                    return
                for alert in json.loads(body)["alerts"]:
                    seen = outer.firing if alert["status"] == "firing" else outer.resolved
                    seen[alert["labels"]["id"]] = seen.get(alert["labels"]["id"], 0) + 1
                self.answer(200)

            def answer(self, status):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                # The other side was killed in the middle of a request.
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def now(seconds=0.0):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class Story:
    """A server that dies now and then, and a client that tells it things once."""

    def __init__(self, directory, sink):
        (directory / "am.yml").write_text(CONFIG.replace("URL", sink.url))
        address = f"127.0.0.1:{free_port()}"
        flags = [f"--config.file={directory / 'am.yml'}", f"--storage.path={directory / 'data'}", f"--web.listen-address={address}", "--cluster.listen-address="]
        self.url, self.command, self.log = f"http://{address}", [binary(), "alertmanager", *flags], directory / "am.log"
        self.server = Process(self.command, self.log)

    def up(self):
        self.server.start()
        until(lambda: client.get(self.url + "/-/ready").status == 200, "the Alertmanager", seconds=30)

    def post(self, path, thing):
        """The answer if it was acknowledged; None when the server died over it."""
        try:
            return client.post(self.url + path, json=thing).expect(200)
        except (OSError, ProcessEnded):
            return None


@time_limit(MINUTES * 60 + 150)
def test_kill_9_loses_no_news():
    chance, deaths = random.Random(SEED), 0
    sink = Flaky(random.Random(SEED + 1))
    promised, ended, silenced, count = [], set(), [], 0
    with scratch() as directory:
        story = Story(directory, sink)
        try:
            story.up()
            end = time.monotonic() + MINUTES * 60
            death = time.monotonic() + chance.uniform(0.2, 4)
            while time.monotonic() < end:
                if time.monotonic() > death:
                    story.server.kill9()
                    deaths += 1
                    story.up()
                    death = time.monotonic() + chance.uniform(0.1, 4)
                batch = [f"{count + i}" for i in range(chance.choice([1, 1, 1, 5, 40]))]
                count += len(batch)
                if story.post("/api/v2/alerts", [{"labels": {"alertname": "A", "id": i}, "startsAt": now(), "endsAt": now(7200)} for i in batch]):
                    promised += batch
                # The end of something is news for those who heard of its beginning.
                known = [i for i in promised if i in sink.firing and i not in ended]
                over = chance.sample(known, min(len(known), 30))
                if over and story.post("/api/v2/alerts", [{"labels": {"alertname": "A", "id": i}, "startsAt": now(-1), "endsAt": now(-0.001)} for i in over]):
                    ended.update(over)
                if chance.random() < 0.05:
                    made = {"matchers": [{"name": "x", "value": f"{len(silenced)}", "isRegex": False}], "startsAt": now(), "endsAt": now(7200), "createdBy": "me", "comment": "c"}
                    answer = story.post("/api/v2/silences", made)
                    if answer:
                        silenced.append(answer.json()["silenceID"])
                time.sleep(chance.uniform(0, 0.2))
                # Killing from within a request, too: the timer of a thread hits wherever it hits.
                if chance.random() < 0.05:
                    timer = threading.Timer(chance.uniform(0, 0.03), story.server.child.kill)
                    timer.start()
                    story.post("/api/v2/alerts", [{"labels": {"alertname": "B", "id": f"b{count}"}, "startsAt": now(), "endsAt": now(7200)}])
                    timer.join()
                    story.server.kill9()
                    deaths += 1
                    story.up()
            missing = lambda: ([i for i in promised if i not in sink.firing], [i for i in ended if i not in sink.resolved])
            until(lambda: missing() == ([], []), "the last news", seconds=90)
            kept = {s["id"] for s in client.get(story.url + "/api/v2/silences").expect(200).json()}
            assert set(silenced) <= kept, f"seed {SEED}: silences are gone: {set(silenced) - kept}"
        except AssertionError as e:
            firing, resolved = ([i for i in promised if i not in sink.firing], [i for i in ended if i not in sink.resolved])
            raise AssertionError(f"seed {SEED}, {deaths} deaths: {len(firing)} of {len(promised)} never told, {len(resolved)} of {len(ended)} ends never told: {firing[:5]} {resolved[:5]}\n{e}\n{story.server.log_tail()}") from e
        finally:
            story.server.close()
            sink.close()
    assert deaths > 2 and len(ended) > 10, f"seed {SEED}: too little happened: {deaths} deaths, {len(ended)} ends"
    twice = sum(n > 1 for n in sink.firing.values()) + sum(n > 1 for n in sink.resolved.values())
    print(f"        seed {SEED}: {deaths} deaths, {len(promised)} alerts, {len(ended)} ends, {len(silenced)} silences, {sink.refused} refusals, {twice} told again", flush=True)
