"""Promtail follows files: across rotation, truncation, restart and an absent Loki, no line is lost or doubled."""

import contextlib
import os

import api
import client
from process import Process, binary, free_port
from support import scratch, time_limit, until
from test_alone import LOKI

PROMTAIL = """
server: {http_listen_address: 127.0.0.1, http_listen_port: PROMTAIL, grpc_listen_port: 0}
positions: {filename: 'DIR/positions.yaml', sync_period: 1s}
target_config: {sync_period: 500ms}
clients: [{url: 'http://127.0.0.1:LOKI/loki/api/v1/push', batchwait: 100ms, backoff_config: {min_period: 100ms, max_period: 500ms}}]
scrape_configs:
  - job_name: app
    static_configs: [{targets: [localhost], labels: {job: app, __path__: 'DIR/logs/*.log'}}]
  - job_name: parsed
    static_configs: [{targets: [localhost], labels: {job: parsed, __path__: 'DIR/parsed/*.log'}}]
    pipeline_stages:
      - logfmt: {mapping: {level: , at: time}}
      - timestamp: {source: at, format: RFC3339Nano}
      - labels: {level: }
      - drop: {source: level, value: debug}
"""


class Pair:
    """A Loki and a Promtail of their own."""

    def __init__(self, directory):
        self.dir = directory
        self.logs = directory / "logs"
        self.logs.mkdir()
        (directory / "parsed").mkdir()
        loki, promtail = free_port(), free_port()
        self.loki_url, self.promtail_url = f"http://127.0.0.1:{loki}", f"http://127.0.0.1:{promtail}"
        (directory / "loki.yml").write_text(LOKI.replace("{port}", str(loki)).replace("{dir}", str(directory)))
        config = PROMTAIL.replace("PROMTAIL", str(promtail)).replace(":LOKI", f":{loki}")
        (directory / "promtail.yml").write_text(config.replace("DIR", str(directory)))
        self.loki = Process([binary(), "loki", f"-config.file={directory}/loki.yml"], directory / "loki.log", directory)
        self.promtail = Process(
            [binary(), "promtail", f"-config.file={directory}/promtail.yml"], directory / "promtail.log", directory
        )

    def start_loki(self):
        self._start(self.loki, self.loki_url + "/ready")

    def start_promtail(self):
        # Ready is too much to ask: there may be no file to follow yet.
        self._start(self.promtail, self.promtail_url + "/metrics")

    def _start(self, process, url):
        def answers():
            process.assert_running()
            return client.get(url).status == 200

        process.start()
        until(answers, f"{url} to answer")

    def expect(self, selector, expected, seconds=20):
        """Waits for all lines, then requires that nothing came twice."""
        texts = lambda: sorted(text for _, text in api.lines(self.loki_url, selector))
        wanted = sorted(expected)
        try:
            until(lambda: len(texts()) >= len(wanted), f"{len(wanted)} lines of {selector}", seconds)
        except AssertionError as e:
            missing = sorted(set(wanted) - set(texts()))
            log = self.promtail.log_tail(15)
            raise AssertionError(f"{e}\n{len(missing)} missing, such as {missing[:3]}\n{log}") from None
        found = texts()
        doubled = sorted({text for text in found if found.count(text) > 1})[:3] if len(found) != len(wanted) else ""
        assert found == wanted, f"{len(found)} lines for {len(wanted)}; doubled: {doubled}"


@contextlib.contextmanager
def pair():
    with scratch() as directory:
        p = Pair(directory)
        with p.loki, p.promtail:
            p.start_loki()
            p.start_promtail()
            yield p


def append(path, lines):
    with open(path, "a") as file:
        file.write("".join(line + "\n" for line in lines))


class Lines:
    """Numbered lines; remembers all it gave out."""

    def __init__(self):
        self.all = []

    def take(self, count):
        lines = [f"line {len(self.all) + i + 1}" for i in range(count)]
        self.all += lines
        return lines


def test_rotation():
    with pair() as p:
        lines, log = Lines(), p.logs / "app.log"
        append(log, lines.take(50))
        p.expect('{job="app"}', lines.all)
        for number in range(1, 4):
            # As logrotate does: rename, create anew; the writer may still finish a line in the old file.
            append(log, lines.take(20))
            old = p.dir / f"app.log.{number}"
            os.rename(log, old)
            append(old, lines.take(1))
            append(log, lines.take(20))
            # Nobody can follow files that come and go unseen: one rotation after the other.
            p.expect('{job="app"}', lines.all)
        series = client.get(p.loki_url + "/loki/api/v1/series", params={"match[]": '{job="app"}'}).json()["data"]
        assert [s["filename"] for s in series] == [str(log)], series
        p.promtail.stop()
        p.loki.stop()


def test_restart_resumes_where_it_stopped():
    with pair() as p:
        lines, log = Lines(), p.logs / "app.log"
        append(log, lines.take(100))
        p.expect('{job="app"}', lines.all)
        p.promtail.stop()
        append(log, lines.take(100))
        p.start_promtail()
        p.expect('{job="app"}', lines.all)
        # A rotation that happens while nobody looks: what is in the new file is new.
        p.promtail.stop()
        assert str(log) in (p.dir / "positions.yaml").read_text()
        os.rename(log, p.dir / "app.log.1")
        append(log, lines.take(3))
        p.start_promtail()
        p.expect('{job="app"}', lines.all)


def test_stop_in_the_middle_of_writing():
    """Lines that were read and not yet delivered when it stopped are neither lost nor sent twice."""
    with pair() as p:
        lines, log = Lines(), p.logs / "app.log"
        for _ in range(5):
            append(log, lines.take(400))
            p.promtail.stop()
            append(log, lines.take(50))
            p.start_promtail()
        p.expect('{job="app"}', lines.all)


def test_kill_9_loses_nothing():
    """Without a chance to note where it was it may send lines again, never skip them."""
    with pair() as p:
        lines, log = Lines(), p.logs / "app.log"
        for round_ in range(6):
            append(log, lines.take(300))
            # Sometimes before anything was sent, sometimes after some of it.
            if round_ % 2:
                until(lambda: api.lines(p.loki_url, f'{{job="app"}} |= "{lines.all[-300]}"'), "the first of them")
            p.promtail.kill9()
            append(log, lines.take(50))
            p.start_promtail()
        found = lambda: {text for _, text in api.lines(p.loki_url, '{job="app"}')}
        until(lambda: found() == set(lines.all), "every line at least once")


def test_a_line_in_two_pieces_is_one_line():
    with pair() as p:
        log = p.logs / "app.log"
        with open(log, "a") as file:
            file.write("begun ")
            file.flush()
            append(p.logs / "other.log", ["marker"])
            until(lambda: api.lines(p.loki_url, '{job="app"} |= "marker"'), "the marker")
            file.write("and finished\n")
        p.expect('{job="app"} |= "begun"', ["begun and finished"])


def test_truncation_starts_over():
    with pair() as p:
        log = p.logs / "app.log"
        append(log, [f"a long enough first line {i}" for i in range(20)])
        p.expect('{job="app"}', [f"a long enough first line {i}" for i in range(20)])
        log.write_text("short\n")
        p.expect('{job="app"} |= "short"', ["short"])


@time_limit(60)
def test_an_absent_loki_is_waited_for():
    with pair() as p:
        lines, log = Lines(), p.logs / "app.log"
        append(log, lines.take(10))
        p.expect('{job="app"}', lines.all)
        p.loki.stop()
        append(log, lines.take(100))
        # It has tried at least once, in vain.
        until(
            lambda: "promtail_batch_retries_total" in client.get(p.promtail_url + "/metrics").text, "a retry", 10
        )
        p.start_loki()
        p.expect('{job="app"}', lines.all, 30)


def test_pipeline():
    with pair() as p:
        now = api.time.time_ns() // 1_000_000_000
        at = api.time.strftime("%Y-%m-%dT%H:%M:%S", api.time.gmtime(now - 60))
        append(
            p.dir / "parsed" / "a.log",
            [
                f"time={at}.000000123Z level=info msg=one",
                f"time={at}.000000124Z level=debug msg=dropped",
                f"time={at}.000000125Z level=error msg=two",
            ],
        )
        p.expect('{job="parsed"}', [f"time={at}.000000123Z level=info msg=one", f"time={at}.000000125Z level=error msg=two"])
        found = api.lines(p.loki_url, '{job="parsed", level="error"}')
        assert [at for at, _ in found] == [(now - 60) * api.NS + 125], found
