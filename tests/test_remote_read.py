"""Reading from the original: its series in our answers, equal to its own; what it cannot tell is a warning."""

import contextlib
import time

import client
from process import Process, binary, free_port
from support import PEERS, SkipTest, scratch, time_limit, until
from test_remote_write import ready, target

PEER = """\
global: {{scrape_interval: 250ms, external_labels: {{origin: peer}}}}
scrape_configs:
- job_name: counting
  static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
- job_name: prometheus
  static_configs: [{{targets: ["127.0.0.1:{peer}"]}}]
"""

OURS = """\
global: {{external_labels: {{origin: peer}}}}
remote_read:
- {{url: "http://127.0.0.1:{peer}/api/v1/read", name: peer, read_recent: true}}
- {{url: "http://127.0.0.1:{nobody}/read", name: nobody, read_recent: true, required_matchers: {{job: nobody}}}}
"""

QUERIES = [
    "counting_total",
    'sum by (i) (rate(counting_total{i=~"[1-5]"}[2s]))',
    "count({__name__=~'.+'})",
    "sum by (code) (prometheus_http_requests_total)",
    "topk(3, go_memstats_alloc_bytes)",
    "avg_over_time(up[3s])",
]


def answer(url, path, **params):
    reply = client.get(f"{url}/api/v1/{path}", params=params).expect().json()
    if path == "query":
        # The order of an instant vector is nobody's promise, nor is the last digit of a bucket's bound.
        reply["data"]["result"].sort(key=lambda series: sorted(series["metric"].items()))
        for series in reply["data"]["result"]:
            for bucket in series.get("histogram", (0, {}))[1].get("buckets", []):
                bucket[1:3] = [f"{float(bound):.12g}" for bound in bucket[1:3]]
    return reply["data"], reply.get("warnings")


@time_limit(90)
def test_the_originals_series_are_ours():
    if not (PEERS / "prometheus").exists():
        raise SkipTest("prometheus is not installed")
    with scratch() as directory, target() as target_port, contextlib.ExitStack() as stack:
        peer_port, our_port, nobody = free_port(), free_port(), free_port()
        ports = {"target": target_port, "peer": peer_port, "nobody": nobody}
        (directory / "peer.yml").write_text(PEER.format(**ports))
        (directory / "ours.yml").write_text(OURS.format(**ports))
        urls = []
        for name, program, port in [
            ("peer", [PEERS / "prometheus", "--enable-feature=native-histograms"], peer_port),
            ("ours", [binary(), "prometheus"], our_port),
        ]:
            stack.enter_context(Process([
                *program, f"--config.file={directory}/{name}.yml", f"--storage.tsdb.path={directory}/{name}",
                f"--web.listen-address=127.0.0.1:{port}"], directory / f"{name}.log", cwd=directory)).start()  # fmt: skip
            url = f"http://127.0.0.1:{port}"
            until(lambda url=url: ready(url), f"{name} to be ready")
            urls.append(url)
        peer, ours = urls
        count = "min(count_over_time({__name__=~'counting_total|up'}[1m]))"

        def scraped():
            result = answer(peer, "query", query=count)[0]["result"]
            return result and float(result[0]["value"][1]) > 20 and answer(peer, "query", query="counting_total")[0]["result"]

        until(scraped, "some seconds of samples", seconds=40)
        end = time.time() - 1
        for query in QUERIES:
            theirs = answer(peer, "query", query=query, time=end)
            assert theirs[0]["result"], query
            mine = answer(ours, "query", query=query, time=end)
            assert mine == theirs, (query, mine, theirs)
            ranged = {"query": query, "start": end - 3, "end": end, "step": 0.5}
            assert answer(ours, "query_range", **ranged) == answer(peer, "query_range", **ranged), query
        # Native histograms come bucket by bucket.
        native = "rate(prometheus_http_request_duration_seconds[4s])"
        theirs = answer(peer, "query", query=native, time=end)
        assert any("histogram" in series for series in theirs[0]["result"]), theirs
        mine = answer(ours, "query", query=native, time=end)
        assert mine == theirs, f"{mine}\n{theirs}"
        # Nobody is asked for `nobody` unless the selector says so.
        result, warnings = answer(ours, "query", query='up{job="nobody"}')
        expected = (
            f'remote_read: error sending request: Post "http://127.0.0.1:{nobody}/read": '
            f"dial tcp 127.0.0.1:{nobody}: connect: connection refused"
        )
        assert (result["result"], warnings) == ([], [expected])
        assert answer(ours, "labels")[1] == ["not implemented"]
        assert answer(ours, "label/job/values")[1] == ["not implemented"]
