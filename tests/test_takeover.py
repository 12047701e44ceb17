"""A Prometheus data directory taken over, and ours handed to a Prometheus: the answers stay the same.

The original writes the data itself: blocks of three minutes' length from backfill, a head with floats, native
histograms and histograms with custom buckets that it scrapes from itself, and late samples.
"""

import contextlib
import shutil
import subprocess
import time

import client
from process import Process, binary, free_port
from support import PEERS, SkipTest, scratch, time_limit, until

CONFIG = """
global: {scrape_interval: 300ms, scrape_timeout: 300ms, evaluation_interval: 500ms}
storage: {tsdb: {out_of_order_time_window: 6h}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: native
    scrape_protocols: [PrometheusProto]
    static_configs: [{targets: ['127.0.0.1:PORT']}]
  - job_name: custom
    convert_classic_histograms_to_nhcb: true
    static_configs: [{targets: ['127.0.0.1:PORT']}]
"""

RULES = """
groups:
  - name: g
    rules:
      - {record: 'requests:rate', expr: 'sum by (job) (rate(prometheus_http_request_duration_seconds[5s]))'}
"""

# What is asked of both, all at one time.
QUERIES = [
    'count({__name__=~".+"})',
    "backfilled",
    "late[10m]",
    "sum(last_over_time({__name__=~'go_.+'}[10m])) by (__name__)",
    "sum(count_over_time(go_goroutines[10m]))",
    "sum(rate(prometheus_http_requests_total[30s])) by (job)",
    "histogram_quantile(0.9, sum(rate(prometheus_http_request_duration_seconds{job='native'}[30s])))",
    "histogram_count(prometheus_http_request_duration_seconds{job='custom'})",
    "histogram_sum(requests:rate)",
    "count_over_time(requests:rate[10m])",
    "max_over_time(up[10m])",
]


def tool(*args, code=0):
    done = subprocess.run([binary(), *map(str, args)], capture_output=True, text=True, timeout=50)
    assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@contextlib.contextmanager
def running(program, config, data, log, *more):
    """A Prometheus, the original or ours, on a data directory."""
    port = free_port()
    config.write_text(CONFIG.replace("PORT", str(port)) if "scrape" in more else "storage: {tsdb: {out_of_order_time_window: 6h}}\n")
    flags = [flag for flag in more if flag != "scrape"]
    command = [
        program,
        *(["prometheus"] if program == binary() else []),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    with Process(command, log, cwd=config.parent) as process:
        process.start()
        url = f"http://127.0.0.1:{port}"

        def ready():
            process.assert_running()
            return client.get(url + "/-/ready").status == 200

        until(ready, f"{program} to be ready")
        yield url
        process.stop()


def answer(url, expression, at):
    reply = client.post(f"{url}/api/v1/query", form={"query": expression, "time": at}).expect(200).json()["data"]
    return sorted(reply["result"], key=lambda series: str(sorted(series["metric"].items())))


def answers(url, at):
    return {expression: answer(url, expression, at) for expression in QUERIES}


def close(a, b):
    """Equal but for the last digits of floats."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    try:
        x, y = float(a), float(b)
    except (TypeError, ValueError):
        return a == b
    return x == y or a == b or abs(x - y) <= 1e-9 * max(abs(x), abs(y))


def compare(expected, got):
    for expression, result in expected.items():
        assert close(result, got[expression]), f"{expression}\nexpected {str(result)[:1500]}\ngot      {str(got[expression])[:1500]}"


@time_limit(150)
def test_there_and_back():
    original, promtool = PEERS / "prometheus", PEERS / "promtool"
    if not (original.exists() and promtool.exists()):
        raise SkipTest("prometheus and promtool are not installed")
    with scratch() as directory:
        data, store, blocks = directory / "data", directory / "store", directory / "blocks"
        config = directory / "prometheus.yml"
        (directory / "rules.yml").write_text(RULES)
        now = int(time.time())
        (directory / "in.om").write_text(
            "# TYPE backfilled gauge\n"
            + "".join(f'backfilled{{n="{n}"}} {n * t / 7} {now - 30 * t}\n' for n in range(3) for t in range(3000, 0, -1))
            + "# EOF\n"
        )
        data.mkdir()
        subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", directory / "in.om", data], check=True, capture_output=True, timeout=50)
        features = "--enable-feature=native-histograms,exemplar-storage"
        receive = "--web.enable-remote-write-receiver"
        with running(original, config, data, directory / "original.log", "scrape", features, receive) as url:
            for value, at in [(1, now), (2, now - 60), (3, now - 30)]:
                (directory / "late.txt").write_text(f"late {value} {at * 1000}\n")
                push = [promtool, "push", "metrics", url + "/api/v1/write", directory / "late.txt"]
                subprocess.run(push, check=True, capture_output=True, timeout=20)
            until(lambda: answer(url, "count_over_time(requests:rate[10m]) > 8", time.time()), "some samples")
            # Scrapes under way must not change the answers any more.
            at = time.time() - 2
            expected = answers(url, at)
            # One place, one owner.
            assert "is in use" in tool("tsdb", "import", f"--storage.tsdb.path={store}", data, code=1)
        refused = Process([binary(), "prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{free_port()}"], directory / "refused.log", cwd=directory)
        with refused:
            refused.launch()
            assert refused.wait(20) != 0
        assert "tsdb import" in (directory / "refused.log").read_text()

        # Prometheus' own dump does not know of the first histograms of a series: floats only.
        floats = lambda text: [line for line in text.splitlines() if "{count:" not in line]
        dumped = subprocess.run([promtool, "tsdb", "dump", data], check=True, capture_output=True, text=True, timeout=50).stdout
        assert floats(tool("tsdb", "dump", data)) == floats(dumped)
        assert tool("tsdb", "list", "-r", data) == subprocess.run([promtool, "tsdb", "list", "-r", data], check=True, capture_output=True, text=True, timeout=50).stdout

        assert "imported" in tool("tsdb", "import", f"--storage.tsdb.path={store}", data)
        assert floats(tool("tsdb", "dump", store)) == floats(dumped)
        with running(binary(), config, store, directory / "ours.log") as url:
            compare(expected, answers(url, at))

        tool("tsdb", "export", f"--storage.tsdb.path={store}", blocks)
        with running(original, config, blocks, directory / "again.log", features) as url:
            compare(expected, answers(url, at))

        # And once more from the store as text.
        (directory / "out.om").write_text(tool("tsdb", "dump-openmetrics", "--match=backfilled", store))
        again = directory / "again"
        tool("tsdb", "create-blocks-from", "openmetrics", f"--storage.tsdb.path={again}", directory / "out.om")
        match = "--match=backfilled"
        assert tool("tsdb", "dump", match, again) == tool("tsdb", "dump", match, store)
        shutil.rmtree(again)
