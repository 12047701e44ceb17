"""The original as client: it writes to us in both versions of the protocol and reads back what it wrote, promtool
pushes, and a second original federates from us. Skipped without the originals.
"""

import contextlib
import subprocess
import time

import client
from process import Process, binary, free_port
from support import PEERS, SkipTest, scratch, time_limit, until
from test_remote_write import ready, samples, target

SENDER = """\
global: {{scrape_interval: 250ms}}
scrape_configs:
- job_name: counting
  static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
- job_name: itself
  static_configs: [{{targets: ["127.0.0.1:{sender}"]}}]
remote_write:
- url: http://127.0.0.1:{ours}/api/v1/write
  protobuf_message: {message}
  send_native_histograms: true
  send_exemplars: true
  queue_config: {{batch_send_deadline: 200ms}}
"""

READER = """\
global: {{external_labels: {{reader: "1"}}}}
scrape_configs:
- job_name: federate
  scrape_interval: 500ms
  honor_labels: true
  metrics_path: /federate
  params: {{"match[]": ['{{__name__=~"counting_total|pushed"}}']}}
  static_configs: [{{targets: ["127.0.0.1:{ours}"]}}]
remote_read:
- {{url: "http://127.0.0.1:{ours}/api/v1/read", read_recent: true, filter_external_labels: false}}
"""


def start(stack, directory, name, program, port, *arguments):
    stack.enter_context(Process([
        *program, f"--config.file={directory}/{name}.yml", f"--storage.tsdb.path={directory}/{name}",
        f"--web.listen-address=127.0.0.1:{port}", *arguments], directory / f"{name}.log", cwd=directory)).start()  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    until(lambda: ready(url), f"{name} to be ready")
    return url


def query(url, expression, at):
    reply = client.get(url + "/api/v1/query", params={"query": expression, "time": repr(at)}).expect().json()
    for series in reply["data"]["result"]:
        # The last digit of a bucket's bound is nobody's promise.
        for bucket in series.get("histogram", (0, {}))[1].get("buckets", []):
            bucket[1:3] = [f"{float(bound):.12g}" for bound in bucket[1:3]]
    return sorted((sorted(s["metric"].items()), s.get("value"), s.get("histogram")) for s in reply["data"]["result"])


@time_limit(120)
def test_the_original_writes_and_reads():
    if not (PEERS / "prometheus").exists():
        raise SkipTest("prometheus is not installed")
    for message in ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"]:
        with scratch() as directory, target() as target_port, contextlib.ExitStack() as stack:
            ports = {"target": target_port, "ours": free_port(), "sender": free_port()}
            (directory / "ours.yml").write_text("{}\n")
            (directory / "sender.yml").write_text(SENDER.format(message=message, **ports))
            (directory / "reader.yml").write_text(READER.format(**ports))
            flag = "--web.enable-remote-write-receiver"
            ours = start(stack, directory, "ours", [binary(), "prometheus"], ports["ours"], flag)
            features = "--enable-feature=native-histograms,exemplar-storage,metadata-wal-records"
            sender = start(stack, directory, "sender", [PEERS / "prometheus"], ports["sender"], features)
            reader = start(stack, directory, "reader", [PEERS / "prometheus"], free_port())
            count = "min(count_over_time(counting_total[1m]))"
            until(lambda: (r := query(ours, count, time.time())) and float(r[0][1][1]) > 20, "samples to arrive", 40)
            end = time.time() - 2
            assert samples(sender, end) == samples(ours, end), message
            for expression in ["counting_total", "sum by (i) (rate(counting_total[2s]))",
                               "prometheus_http_request_duration_seconds", "histogram_count(prometheus_http_request_duration_seconds)"]:  # fmt: skip
                theirs = query(sender, expression, end)
                mine = query(ours, expression, end)
                assert theirs and theirs == mine, f"{message}: {expression}: {theirs[:2]} is here {mine[:2]}"
            # The reader has nothing of its own older than its start but what it reads from us.
            values = lambda url, expression: [v for _, v, _ in query(url, expression, end)]
            read = lambda: values(reader, 'counting_total{job="counting"}') == values(ours, "counting_total")
            until(read, f"{message}: the reader to see what we have")
            until(lambda: query(reader, "count(scrape_samples_scraped{job='federate'} >= 60)", time.time()), "federation")


@time_limit(60)
def test_promtool_pushes():
    if not (PEERS / "promtool").exists():
        raise SkipTest("promtool is not installed")
    with scratch() as directory, contextlib.ExitStack() as stack:
        (directory / "ours.yml").write_text("{}\n")
        flag = "--web.enable-remote-write-receiver"
        ours = start(stack, directory, "ours", [binary(), "prometheus"], free_port(), flag)
        text = "# TYPE pushed gauge\npushed{a=\"1\"} 3.5\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n"
        push = [str(PEERS / "promtool"), "push", "metrics", "--label=job=tool", ours + "/api/v1/write"]
        done = subprocess.run(push, input=text, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        now = time.time()
        assert [s[1][1] for s in query(ours, 'pushed{job="tool",a="1"}', now)] == ["3.5"]
        assert [s[1][1] for s in query(ours, "h_bucket", now)] == ["3", "2"]
