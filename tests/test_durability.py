"""`kill -9` while three signals come in: what was acknowledged is there afterwards.

Acknowledged means: a log line whose push was answered 204, a span whose export was answered 200, a sample that a
query has shown. Each round writes all three at once into the stack with the data of the rounds before, kills the
process at a moment of chance, starts it again and looks. Logs are flushed from memory to parts all the time, so
that the kill also meets half-written parts.
"""

import os
import random
import threading
import time

import api
import client
from receivers import Target
from stack import Stack
from support import time_limit, until

ROUNDS = int(os.environ.get("DURABILITY_ROUNDS", "20"))
SECONDS_MIN, SECONDS_MAX = 0.3, 1.2
LINES_PER_PUSH = 10
SPANS_PER_PUSH = 5
SERIES = 20


class Writer(threading.Thread):
    """Writes until the process is gone, and remembers what was acknowledged."""

    def __init__(self, write):
        super().__init__(daemon=True)
        self.write = write
        self.acknowledged = []
        self.done = threading.Event()
        self.error = None
        self.start()

    def run(self):
        while not self.done.is_set():
            try:
                self.acknowledged += self.write()
            except OSError:
                # Killed in the middle of a request: not acknowledged, so it may be there or not.
                return
            except Exception as e:
                # Shown by finish(), in the thread of the test.
                self.error = e
                return

    def finish(self):
        self.done.set()
        self.join(15)
        assert not self.is_alive(), "a writer hangs"
        if self.error:
            raise self.error
        return self.acknowledged


class Numbers:
    """Timestamps that never repeat, over all threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.last = 0

    def take(self, count):
        with self.lock:
            first = max(time.time_ns(), self.last + 1)
            self.last = first + count - 1
            return range(first, first + count)


def line_writer(loki, labels, numbers):
    def write():
        lines = [(at, f"line {at} of a log that must not lose any") for at in numbers.take(LINES_PER_PUSH)]
        reply = api.push_lines(loki, labels, lines, timeout=5)
        assert reply.status == 204, f"push: {reply.status} {reply.text}"
        return lines

    return write


def span_writer(otlp, chance):
    def write():
        trace_id = f"{chance.getrandbits(128) | 1:032x}"
        ids = [f"{chance.getrandbits(64) | 1:016x}" for _ in range(SPANS_PER_PUSH)]
        spans = [{"traceId": trace_id, "spanId": span_id, "name": "write"} for span_id in ids]
        reply = api.push_spans(otlp, "durability", spans, timeout=5)
        assert reply.status == 200, f"export: {reply.status} {reply.text}"
        return [(trace_id, span_id) for span_id in ids]

    return write


def sample_watcher(prometheus):
    seen = set()

    def look():
        new = samples(prometheus, "5s") - seen
        seen.update(new)
        time.sleep(0.02)
        return list(new)

    return look


def samples(prometheus, window):
    """Every stored sample as (series, milliseconds, value)."""
    found = set()
    for series in api.query(prometheus, f"durability_counter[{window}]"):
        found |= {(series["metric"]["n"], round(at * 1000), float(value)) for at, value in series["values"]}
    return found


def flusher(loki, chance):
    def flush():
        client.post(loki + "/flush", timeout=5).expect(204)
        time.sleep(chance.uniform(0.01, 0.2))
        return [None]

    return flush


@time_limit(240)
def test_kill_9():
    seed = int(os.environ.get("DURABILITY_SEED", random.randrange(1 << 32)))
    print(f"        DURABILITY_SEED={seed} DURABILITY_ROUNDS={ROUNDS}", flush=True)
    chance = random.Random(seed)
    numbers = Numbers()
    scrapes = iter(range(1, 1 << 60))

    def page():
        value = next(scrapes)
        lines = [f'durability_counter{{n="{n}"}} {value * n}\n' for n in range(SERIES)]
        return "# TYPE durability_counter counter\n" + "".join(lines)

    with Target(page) as target:

        def scrape_it_often(config):
            # Nothing else is scraped: the test is about these series, and about the kill.
            job = (
                "scrape_configs:\n  - job_name: durability\n    scrape_interval: 100ms\n    scrape_timeout: 100ms\n"
                f"    static_configs:\n      - targets: ['{target.address}']\n"
            )
            path = config / "prometheus" / "prometheus.yml"
            path.write_text(path.read_text().split("scrape_configs:")[0] + job)

        kept_lines, kept_spans, kept_samples = {}, [], set()
        with Stack(edit=scrape_it_often) as s:
            for number in range(1, ROUNDS + 1):
                labels = {"job": "durability", "round": str(number)}
                loki, prometheus = s.url("loki"), s.url("prometheus")
                line_writers = [Writer(line_writer(loki, labels, numbers)) for _ in range(2)]
                span_writers = [Writer(span_writer(s.otlp_http, random.Random(chance.random()))) for _ in range(2)]
                watcher = Writer(sample_watcher(prometheus))
                flushing = Writer(flusher(loki, random.Random(chance.random())))
                # Each signal has something to lose before the kill may come.
                writers = [*line_writers, *span_writers, watcher, flushing]
                until(
                    lambda: all(w.acknowledged or w.error for w in writers), "every writer to be acknowledged once"
                )
                time.sleep(chance.uniform(SECONDS_MIN, SECONDS_MAX))
                s.kill9()
                kept_lines[number] = {line for w in line_writers for line in w.finish()}
                new_spans = [span for w in span_writers for span in w.finish()]
                kept_spans += new_spans
                kept_samples |= set(watcher.finish())
                flushing.finish()
                s.start()
                check_lines(loki, number, kept_lines[number])
                check_spans(s.url("jaeger"), new_spans)
                check_samples(prometheus, kept_samples)
            # And all of it once more, after a clean restart.
            s.restart()
            for number, lines in kept_lines.items():
                check_lines(s.url("loki"), number, lines)
            check_spans(s.url("jaeger"), chance.sample(kept_spans, min(1000, len(kept_spans))))
            check_samples(s.url("prometheus"), kept_samples)
            counts = sum(map(len, kept_lines.values())), len(kept_spans), len(kept_samples)
            print("        kept {} lines, {} spans, {} samples".format(*counts), flush=True)


def check_lines(loki, number, kept):
    found = api.lines(loki, f'{{job="durability", round="{number}"}}')
    missing = kept - set(found)
    assert not missing, f"round {number}: {len(missing)} of {len(kept)} lines lost, such as {sorted(missing)[:3]}"
    assert len(found) == len(set(found)), f"round {number}: {len(found) - len(set(found))} lines came twice"


def check_spans(jaeger, kept):
    by_trace = {}
    for trace_id, span_id in kept:
        by_trace.setdefault(trace_id, set()).add(span_id)
    for trace_id, ids in by_trace.items():
        found = {span["spanID"] for span in api.trace(jaeger, trace_id)}
        assert ids <= found, f"trace {trace_id}: spans {sorted(ids - found)} of {len(ids)} lost"


def check_samples(prometheus, kept):
    missing = kept - samples(prometheus, "30m")
    assert not missing, f"{len(missing)} of {len(kept)} samples lost, such as {sorted(missing)[:3]}"


def test_what_people_set_survives_kill_9():
    """A silence, a saved dashboard, an annotation, a session: each was answered with success."""
    with Stack() as s:
        alertmanager, grafana = s.url("alertmanager"), s.url("grafana")
        silence = {
            "matchers": [{"name": "a", "value": "b", "isRegex": False}],
            "startsAt": "2030-01-01T00:00:00Z",
            "endsAt": "2031-01-01T00:00:00Z",
            "createdBy": "me",
            "comment": "kept",
        }
        silence_id = client.post(alertmanager + "/api/v2/silences", json=silence).expect(200).json()["silenceID"]
        login = client.post(grafana + "/login", json={"user": "admin", "password": "cloudos123"}).expect(200)
        session = {"Cookie": login.headers["set-cookie"].split(";")[0]}
        dashboard = {"dashboard": {"title": "Kept", "panels": []}, "overwrite": True}
        uid = client.post(grafana + "/api/dashboards/db", json=dashboard, headers=session).expect(200).json()["uid"]
        annotation = {"text": "kept", "time": 1_700_000_000_000, "tags": ["a"]}
        client.post(grafana + "/api/annotations", json=annotation, headers=session).expect(200)
        s.kill9()
        s.start()
        assert client.get(f"{alertmanager}/api/v2/silence/{silence_id}").expect(200).json()["comment"] == "kept"
        saved = client.get(f"{grafana}/api/dashboards/uid/{uid}", headers=session).expect(200).json()
        assert saved["dashboard"]["title"] == "Kept", saved
        notes = client.get(grafana + "/api/annotations", headers=session).expect(200).json()
        assert [note["text"] for note in notes] == ["kept"], notes
