"""Each service alone, called by its own name with the original's flags, from an empty directory."""

import contextlib
import json
import os
import subprocess

import api
import client
from process import Process, binary, free_port
from receivers import Target
from support import scratch, until


@contextlib.contextmanager
def alone(name, *flags, files=None, path="/metrics", port=None, env=None):
    """Runs the binary through a symbolic link called `name`; `{port}` and `{dir}` in flags and files are filled in."""
    with scratch() as directory:
        link = directory / "bin" / name
        link.parent.mkdir()
        link.symlink_to(binary())
        port = port or free_port()
        fill = lambda text: text.replace("{port}", str(port)).replace("{dir}", str(directory))
        for file, text in (files or {}).items():
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            (directory / file).write_text(fill(text))
        work = directory / "work"
        work.mkdir()
        command = [link, *map(fill, flags)]
        with Process(command, directory / "log", cwd=work, env=env) as process:
            process.start()
            process.url = f"http://127.0.0.1:{port}"
            process.dir = directory

            def ready():
                process.assert_running()
                return client.get(process.url + path).status == 200

            try:
                until(ready, f"{name} to be ready", 20)
            except AssertionError as e:
                raise AssertionError(f"{e}\n{process.log_tail()}") from None
            yield process
            process.stop()


def test_prometheus():
    with Target(lambda: "answer 42\n") as target:
        config = (
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}\n"
            "scrape_configs: [{job_name: a, file_sd_configs: [{files: ['targets/*.json']}]}]\n"
            "rule_files: [rules.yml]\n"
        )
        rules = "groups: [{name: g, rules: [{record: 'answer:half', expr: 'answer / 2'}]}]\n"
        with alone(
            "prometheus",
            "--config.file={dir}/etc/prometheus.yml",
            "--storage.tsdb.path={dir}/tsdb",
            "--storage.tsdb.retention.time=15d",
            "--web.listen-address=127.0.0.1:{port}",
            "--web.enable-lifecycle",
            "--web.enable-admin-api",
            "--log.level=warn",
            "--web.console.templates=/usr/share/prometheus/consoles",
            "--web.console.libraries=/usr/share/prometheus/console_libraries",
            files={
                "etc/prometheus.yml": config,
                "etc/rules.yml": rules,
                "etc/targets/a.json": json.dumps([{"targets": [target.address], "labels": {"from": "a file"}}]),
            },
            path="/-/ready",
        ) as process:
            until(lambda: api.value(process.url, 'answer:half{from="a file"}') == 21, "the recorded rule")
            flags = client.get(process.url + "/api/v1/status/flags").expect(200).json()["data"]
            assert flags["storage.tsdb.retention.time"] == "15d", flags
            assert flags["web.listen-address"] == process.url.removeprefix("http://"), flags
            assert os.listdir(process.dir / "tsdb"), "nothing was stored where --storage.tsdb.path says"
            assert not os.listdir(process.dir / "work"), "something was left in the working directory"
            assert "level=INFO" not in process.log.read_text(), "--log.level=warn was ignored"
            client.post(process.url + "/-/quit").expect(200)
            assert process.wait(6) == 0, process.log_tail()


def test_prometheus_without_lifecycle():
    """The original refuses reload and quit unless --web.enable-lifecycle is given."""
    with alone(
        "prometheus",
        "--config.file={dir}/prometheus.yml",
        "--storage.tsdb.path={dir}/tsdb",
        "--web.listen-address=127.0.0.1:{port}",
        files={"prometheus.yml": "{}\n"},
        path="/-/ready",
    ) as process:
        for path in ["/-/reload", "/-/quit"]:
            assert client.post(process.url + path).expect(403).text == "Lifecycle API is not enabled.", path


def test_alertmanager():
    config = "route: {receiver: none}\nreceivers: [{name: none}]\n"
    with alone(
        "alertmanager",
        "--config.file={dir}/alertmanager.yml",
        "--storage.path={dir}/data",
        "--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--data.retention=120h",
        files={"alertmanager.yml": config},
        path="/-/ready",
    ) as process:
        status = client.get(process.url + "/api/v2/status").expect(200).json()
        assert status["cluster"]["status"] == "disabled", status
        assert status["config"]["original"].startswith("global:") or "receiver: none" in status["config"]["original"]
        client.post(process.url + "/api/v2/alerts", json=[{"labels": {"alertname": "A"}}]).expect(200)
        assert len(client.get(process.url + "/api/v2/alerts").expect(200).json()) == 1


LOKI = """
auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_port: 0}
common:
  path_prefix: {dir}/loki
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: '{dir}/loki/chunks', rules_directory: '{dir}/loki/rules'}}
schema_config:
  configs: [{from: "2024-01-01", store: tsdb, object_store: filesystem, schema: v13, index: {prefix: i_, period: 24h}}]
"""


def test_loki():
    with alone("loki", "-config.file={dir}/loki.yml", files={"loki.yml": LOKI}, path="/ready") as process:
        api.push_lines(process.url, {"job": "alone"}, [(api.time.time_ns(), "hello")]).expect(204)
        assert [text for _, text in api.lines(process.url, '{job="alone"}')] == ["hello"]
        assert os.listdir(process.dir / "loki"), "nothing was stored where the configuration says"


def test_promtail_sends_to_loki():
    promtail = """
server: {http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_port: 0}
positions: {filename: '{dir}/positions.yaml'}
clients: [{url: 'LOKI/loki/api/v1/push', batchwait: 100ms}]
scrape_configs:
  - job_name: a
    static_configs: [{targets: [localhost], labels: {job: alone, __path__: '{dir}/logs/*.log'}}]
"""
    with alone("loki", "-config.file={dir}/loki.yml", files={"loki.yml": LOKI}, path="/ready") as loki:
        files = {"promtail.yml": promtail.replace("LOKI", loki.url), "logs/a.log": "first\nsecond\n"}
        with alone("promtail", "-config.file={dir}/promtail.yml", files=files, path="/ready"):
            texts = lambda: [text for _, text in api.lines(loki.url, '{job="alone"}')]
            until(lambda: texts() == ["first", "second"], "both lines")


def test_jaeger():
    grpc, http = free_port(), free_port()
    with alone(
        "jaeger",
        "--storage.path={dir}/spans",
        "--query.http-server.host-port=127.0.0.1:{port}",
        f"--collector.otlp.grpc.host-port=127.0.0.1:{grpc}",
        f"--collector.otlp.http.host-port=127.0.0.1:{http}",
        path="/api/services",
    ) as process:
        spans = [{"traceId": "12" * 16, "spanId": "34" * 8, "name": "alone"}]
        api.push_spans(f"http://127.0.0.1:{http}", "alone", spans).expect(200)
        assert len(api.trace(process.url, "12" * 16)) == 1
        assert os.listdir(process.dir / "spans"), "nothing was stored where --storage.path says"


def test_pushgateway_persists():
    flags = ["--web.listen-address=127.0.0.1:{port}", "--persistence.file={dir}/groups", "--persistence.interval=1h"]
    with alone("pushgateway", *flags, path="/-/ready") as process:
        client.post(process.url + "/metrics/job/a", "kept 1\n").expect(200)
        process.stop()
        process.start()
        until(lambda: client.get(process.url + "/-/ready").status == 200, "the gateway to be ready again")
        assert 'kept{instance="",job="a"} 1' in client.get(process.url + "/metrics").text


def test_node_exporter():
    textfile = {"text/a.prom": "from_a_file 7\n"}
    for name in ["node_exporter", "node-exporter"]:
        with alone(
            name,
            "--web.listen-address=127.0.0.1:{port}",
            "--path.procfs=/proc",
            "--path.sysfs=/sys",
            "--path.rootfs=/",
            "--collector.textfile.directory={dir}/text",
            "--no-collector.cpu",
            files=textfile,
        ) as process:
            text = client.get(process.url + "/metrics").text
            assert "\nfrom_a_file 7\n" in text and "\nnode_load1 " in text, text[:500]
            assert "node_cpu_seconds_total" not in text, "--no-collector.cpu was ignored"
            only = client.get(process.url + "/metrics?collect[]=loadavg").expect(200).text
            assert "node_load1 " in only and "node_memory_MemTotal_bytes" not in only


def test_cadvisor():
    with alone("cadvisor", "-listen_ip=127.0.0.1", "-port={port}", path="/healthz") as process:
        text = client.get(process.url + "/metrics").expect(200).text
        assert "\nmachine_cpu_cores" in text and 'container_memory_usage_bytes{' in text, text[:500]


def test_cloudos_exporter():
    with alone("cloudos-exporter", "--web.listen-address=127.0.0.1:{port}", path="/-/healthy") as process:
        assert "\ncloudos_system_memory_usage_bytes{" in client.get(process.url + "/metrics").expect(200).text


def test_grafana():
    from stack import copy_config

    with scratch() as config:
        copy_config(config, 0, None)
        with alone(
            "grafana",
            f"--config.dir={config}",
            "--data.path={dir}/data",
            "--web.listen-address=127.0.0.1:{port}",
            path="/api/health",
        ) as process:
            login = {"user": "admin", "password": "cloudos123"}
            client.post(process.url + "/login", json=login).expect(200)
            client.post(process.url + "/login", json={**login, "password": "wrong"}).expect(401)


def test_defaults_are_built_in():
    """`prometheus` without any file: the stack's own configuration stands in, and says so."""
    with alone("prometheus", "--web.listen-address=127.0.0.1:{port}", path="/-/ready") as process:
        config = client.get(process.url + "/api/v1/status/config").expect(200).json()["data"]["yaml"]
        assert "job_name: pushgateway" in config, config[:500]


def test_help_version_and_mistakes():
    def run(*arguments, called=None):
        with scratch() as directory:
            program = directory / (called or "cloudos-monitor")
            program.symlink_to(binary())
            done = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=10, cwd=directory)
            assert "panicked" not in done.stderr, done.stderr
            return done.returncode, done.stdout, done.stderr

    code, out, _ = run("help")
    assert code == 0 and "pushgateway" in out
    code, out, err = run("--help", called="prometheus")
    assert code == 0 and "--storage.tsdb.path" in out + err
    code, out, err = run("--version", called="alertmanager")
    assert code == 0 and "alertmanager, version " in out + err
    code, out, err = run("--no.such.flag", called="prometheus")
    assert code != 0 and "no.such.flag" in err, err
    code, out, err = run("--log.format=xml", called="pushgateway")
    assert code != 0 and "xml" in err, err
    code, out, err = run("--log.level=loud", called="pushgateway")
    assert code != 0 and "loud" in err, err
    code, out, err = run("nonsense")
    assert code != 0 and "nonsense" in err, err
    code, out, err = run("--config.file=/does/not/exist.yml", called="prometheus")
    assert code != 0 and "/does/not/exist.yml" in err, err
    code, out, err = run("up", "--listen.port-offset=many")
    assert code != 0 and "listen.port-offset" in err, err
