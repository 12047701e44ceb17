"""The command-line tools, beside the original's promtool where this machine has it.

What is right must be judged the same, to the byte; where a file is broken the original's YAML library has
words of its own, so there only the exit code and the judgement count.
"""

import contextlib
import subprocess
import tarfile
import time

import process
import stack
from support import PEERS, SkipTest, scratch
from test_receiving import start

RULES = """
groups:
- name: g
  interval: 1m
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.instance }} is down since {{ $value }}"}
  - alert: Slow
    expr: histogram_quantile(0.9, h) > 1
    keep_firing_for: 3m
"""

# Names of tests and what they expect; each is played against RULES.
CASES = {
    "fires": "alert_rule_test: [{eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, instance: x, job: a}, exp_annotations: {summary: 'x is down since 0'}}]}]",
    "not yet": "alert_rule_test: [{eval_time: 3m, alertname: Down}]",
    "wrong annotation": "alert_rule_test: [{eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, instance: x, job: a}, exp_annotations: {summary: other}}]}]",
    "missing alert": "alert_rule_test: [{eval_time: 1m, alertname: Down, exp_alerts: [{exp_labels: {a: b}}]}]",
    "unexpected alert": "alert_rule_test: [{eval_time: 6m, alertname: Down}]",
    "unknown alert": "alert_rule_test: [{eval_time: 6m, alertname: Nope}]",
    "histogram alert": "alert_rule_test: [{eval_time: 6m, alertname: Slow, exp_alerts: [{}]}]",
    "recorded": "promql_expr_test: [{expr: 'job:up:sum', eval_time: 5m, exp_samples: [{labels: 'job:up:sum{job=\"a\"}', value: 1}]}]",
    "recorded wrong": "promql_expr_test: [{expr: 'job:up:sum', eval_time: 5m, exp_samples: [{labels: 'job:up:sum{job=\"a\"}', value: 2}]}]",
    "nothing": "promql_expr_test: [{expr: nope, eval_time: 5m}]",
    "something": "promql_expr_test: [{expr: up, eval_time: 5m}]",
    "nothing instead": "promql_expr_test: [{expr: nope, eval_time: 5m, exp_samples: [{labels: nope, value: 1}]}]",
    "scalar": "promql_expr_test: [{expr: '1 + 0.5', eval_time: 5m, exp_samples: [{value: 1.5}]}]",
    "scalar wrong": "promql_expr_test: [{expr: '1e20 / 3', eval_time: 5m, exp_samples: [{value: 1}]}]",
    "not a number": "promql_expr_test: [{expr: '0 / 0', eval_time: 5m, exp_samples: [{value: .nan}]}]",
    "broken expression": "promql_expr_test: [{expr: 'up +', eval_time: 5m}]",
    "a string": "promql_expr_test: [{expr: '\"a\"', eval_time: 5m}]",
    "a range": "promql_expr_test: [{expr: 'up[1m]', eval_time: 5m}]",
    "two errors": "promql_expr_test: [{expr: 'up +', eval_time: 5m}, {expr: up, eval_time: 1m}]",
    "histogram": "promql_expr_test: [{expr: h, eval_time: 5m, exp_samples: [{labels: h, histogram: '{{schema:0 sum:1 count:3 counter_reset_hint:not_reset buckets:[1 2]}}'}]}]",
    "histogram wrong": "promql_expr_test: [{expr: h, eval_time: 5m, exp_samples: [{labels: h, histogram: '{{schema:0 sum:2 count:4 buckets:[1 2]}}'}]}]",
    "histogram function": "promql_expr_test: [{expr: 'histogram_sum(h)', eval_time: 5m, exp_samples: [{labels: '{}', value: 1}]}]",
    "rate": "promql_expr_test: [{expr: 'rate(c[3m])', eval_time: 6m, exp_samples: [{labels: '{}', value: 0.16666666666666666}]}]",
    "stale": "promql_expr_test: [{expr: s, eval_time: 4m}, {expr: s, eval_time: 1m, exp_samples: [{labels: s, value: 1}]}]",
    "gap": "promql_expr_test: [{expr: 'count_over_time(g[10m])', eval_time: 9m, exp_samples: [{labels: '{}', value: 3}]}]",
    "many": "promql_expr_test: [{expr: up, eval_time: 1m, exp_samples: [{labels: 'up{job=\"a\", instance=\"y\"}', value: 1}, {labels: 'up{job=\"a\", instance=\"x\"}', value: 1}]}]",
    "alerts series": "promql_expr_test: [{expr: 'ALERTS', eval_time: 5m, exp_samples: [{labels: 'ALERTS{alertname=\"Down\", alertstate=\"firing\", instance=\"x\", job=\"a\", severity=\"page\"}', value: 1}, {labels: 'ALERTS{alertname=\"Slow\", alertstate=\"firing\"}', value: 1}]}]",
    "external labels": "external_labels: {dc: eu}\n  alert_rule_test: [{eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, instance: x, job: a}, exp_annotations: {summary: 'x is down since 0'}}]}]",
    "between evaluations": "alert_rule_test: [{eval_time: 5m30s, alertname: Down, exp_alerts: [{exp_labels: {severity: page, instance: x, job: a}, exp_annotations: {summary: 'x is down since 0'}}]}]",
    "after the input": "promql_expr_test: [{expr: up, eval_time: 1h}]",
}

INPUT = """
  interval: 1m
  input_series:
  - {series: 'up{job="a", instance="x"}', values: '1 1 0 0 0 0 0x5'}
  - {series: 'up{job="a", instance="y"}', values: '1x10'}
  - {series: h, values: '{{schema:0 sum:1 count:3 buckets:[1 2]}}x10'}
  - {series: c, values: '0+10x10'}
  - {series: s, values: '1 1 stale'}
  - {series: g, values: '1 _ _ 2 _x3 3'}
"""


def ours(directory, *arguments, stdin=""):
    done = subprocess.run([str(process.binary()), *arguments], cwd=directory, input=stdin, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def original(directory, *arguments, stdin=""):
    path = PEERS / "promtool"
    if not path.exists():
        raise SkipTest("promtool is not installed")
    done = subprocess.run([str(path), *arguments], cwd=directory, input=stdin, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr.replace("promtool:", "cloudos-monitor:")


def test_rule_tests_say_what_is_wrong():
    """Without the original: right is right, wrong is wrong, and the report shows both sides."""
    with scratch() as directory:
        (directory / "rules.yml").write_text(RULES)
        for name, good in {"fires": True, "wrong annotation": False, "recorded": True, "recorded wrong": False}.items():
            text = f"rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- name: {name}{INPUT}  {CASES[name]}\n"
            (directory / "test.yml").write_text(text)
            code, out, err = ours(directory, "test", "rules", "test.yml")
            assert (code == 0) == good, (name, code, out, err)
            assert ("SUCCESS" in out) == good and ("FAILED" in err) != good
            assert good or ("exp:" in err and "got:" in err), err


def test_rule_tests_are_judged_as_the_original_does():
    differing = []
    with scratch() as directory:
        (directory / "rules.yml").write_text(RULES)
        for name, case in CASES.items():
            text = f"rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- name: {name}{INPUT}  {case}\n"
            (directory / "test.yml").write_text(text)
            for flags in [(), ("--diff",)] if "alert" in case else [()]:
                arguments = ("test", "rules", *flags, "test.yml")
                theirs, mine = original(directory, *arguments), ours(directory, *arguments)
                if theirs != mine:
                    differing.append(f"{name} {flags}:\n--- original\n{theirs}\n--- ours\n{mine}")
    assert not differing, f"{len(differing)} of {len(CASES)}\n" + "\n".join(differing)


def test_whole_test_files_are_judged_as_the_original_does():
    """What concerns a file and not one check: names, order, selection, JUnit."""
    up = "input_series: [{series: 'up{job=\"a\", instance=\"x\"}', values: '0x10'}]"
    two = "[{eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {a: b}}, {exp_labels: {c: d}, exp_annotations: {e: f}}]}, {eval_time: 1m, alertname: Down, exp_alerts: [{}]}]"
    files = {
        "good.yml": f"rule_files: [rules.yml]\ntests:\n- {{name: one, {up}}}\n- {{{up}}}\n",
        "bad.yml": f"rule_files: [rules.yml]\ntests:\n- {{name: one, {up}, alert_rule_test: {two}}}\n- {{{up}, alert_rule_test: {two}}}\n",
        "twice.yml": "rule_files: [rules.yml, nope*.yml]\ngroup_eval_order: [g, g]\ntests: []\n",
        "nameless.yml": "rule_files: [rules.yml]\ntests:\n- {name: n, alert_rule_test: [{eval_time: 1m}]}\n- alert_rule_test: [{eval_time: 1m}]\n",
        "rulebroken.yml": "rule_files: [broken.yml]\ntests:\n- {name: n, promql_expr_test: [{eval_time: 1m, expr: up}]}\n",
        "fuzzy.yml": "fuzzy_compare: true\ntests:\n- input_series: [{series: x, values: '1.0000000000000002 0.30000000000000004'}]\n  promql_expr_test:\n  - {eval_time: 0m, expr: x, exp_samples: [{labels: x, value: 1}]}\n  - {eval_time: 1m, expr: x, exp_samples: [{labels: x, value: 0.3}]}\n  - {eval_time: 1m, expr: x, exp_samples: [{labels: x, value: 0.30000001}]}\n",
        "broken.yml": "groups: [{name: g, rules: [{record: a, expr: 'up ('}, {expr: up}, {alert: A, expr: up, labels: {a: '{{ $nope }}'}}]}]\n",
        "unknown.yml": "groups: [{name: g, extra: 1, rules: [{record: a, expr: up, more: [2]}]}]\n",
        "rules.yml": RULES,
    }
    junit = lambda text: text.split('timestamp="')[0] + text.split('"><testcase', 1)[-1]
    with scratch() as directory:
        for name, text in files.items():
            (directory / name).write_text(text)
        for name in ["good.yml", "bad.yml", "twice.yml", "nameless.yml", "rulebroken.yml", "fuzzy.yml"]:
            for flags in [(), ("--diff",), ("--run=one",), ("--run=o", "--run=unn")]:
                arguments = ("test", "rules", *flags, name)
                assert original(directory, *arguments) == ours(directory, *arguments), arguments
        for name in ["good.yml", "bad.yml", "nameless.yml", "rulebroken.yml"]:
            arguments = ("test", "rules", "--junit=out.xml", name)
            original(directory, *arguments)
            theirs = (directory / "out.xml").read_text()
            ours(directory, *arguments)
            assert junit(theirs) == junit((directory / "out.xml").read_text()), name
        for arguments in [("check", "rules", "broken.yml"), ("check", "rules", "--ignore-unknown-fields", "unknown.yml")]:
            assert original(directory, *arguments) == ours(directory, *arguments), arguments


def test_discovery_is_shown_as_the_original_shows_it():
    config = """
scrape_configs:
- job_name: a
  metrics_path: /m
  params: {x: [y]}
  static_configs:
  - {targets: ['h:1', 'h:2'], labels: {k: v}}
  - {targets: ['h:1', 'h:1']}
  relabel_configs:
  - {source_labels: [__address__], regex: 'h:2', action: drop}
  - {source_labels: [__address__], target_label: addr}
- job_name: b
  file_sd_configs: [{files: ['sd.json']}]
"""
    with scratch() as directory:
        (directory / "p.yml").write_text(config)
        (directory / "sd.json").write_text('[{"targets": ["q:1"], "labels": {"l": "m"}}]')
        for job in ["a", "b", "nope"]:
            arguments = ("check", "service-discovery", "--timeout=2s", "p.yml", job)
            assert original(directory, *arguments) == ours(directory, *arguments), arguments
        arguments = ("check", "service-discovery", "nowhere.yml", "a")
        assert original(directory, *arguments) == ours(directory, *arguments)


PAGE = """# HELP x_total A counter.
# TYPE x_total counter
x_total{a="b"} 3
x_total{job="own"} 4
# TYPE h histogram
h_bucket{le="1"} 1
h_bucket{le="+Inf"} 2
h_sum 3
h_count 2
# TYPE s summary
s{quantile="0.5"} 1
s_sum 1
s_count 2
untyped 1
"""


def test_pages_are_pushed_as_the_original_pushes_them():
    with scratch() as directory, contextlib.ExitStack() as running:
        (directory / "p.yml").write_text("{}\n")
        server = start(running, directory, "p", [process.binary(), "prometheus"], process.free_port(), "--web.enable-remote-write-receiver")
        (directory / "page.txt").write_text(PAGE)
        (directory / "broken.txt").write_text("bad{\n")
        url = f"{server}/api/v1/write"
        series = {}
        for who, run in [("original", original), ("ours", ours)]:
            assert run(directory, "push", "metrics", f"--label=job={who}", url, "page.txt")[0] == 0
            code, out, _ = ours(directory, "query", "series", f'--match={{job="{who}"}}', server)
            series[who] = sorted(line.replace(who, "-") for line in out.splitlines())
        assert series["original"] == series["ours"] and len(series["ours"]) == 10, series
        second = "--protobuf_message=io.prometheus.write.v2.Request"
        code, out, err = ours(directory, "push", "metrics", second, "--label=job=second", url, stdin=PAGE)
        assert (code, out) == (0, "Parsing standard input\n  SUCCESS: metrics pushed to remote write.\n"), err
        assert ours(directory, "query", "instant", server, 'count({job="second"})')[1].startswith("{} => 10 @"), "all there"
        for arguments in [
            ("push", "metrics", url, "page.txt"),
            ("push", "metrics", url, "broken.txt"),
            ("push", "metrics", f"{server}/nowhere", "page.txt"),
            ("push", "metrics", "http://127.0.0.1:1/write", "page.txt"),
        ]:
            assert original(directory, *arguments) == ours(directory, *arguments), arguments


def test_the_past_of_rules_is_the_originals():
    """Both ask our server the same questions; what they write down is compared sample by sample."""
    server = stack.shared().url("prometheus")
    rules = """
groups:
- name: quarter
  interval: 15s
  labels: {from: group}
  rules:
  - {record: "a:time", expr: "vector(time())", labels: {k: v}}
  - {record: "two", expr: "label_replace(vector(1), 'x', 'y', '', '') or vector(2)", labels: {from: rule}}
- name: minute
  rules:
  - {record: nothing, expr: nothing_of_the_kind}
  - {record: odd, expr: "vector(1) / 3"}
"""
    with scratch() as directory:
        (directory / "rules.yml").write_text(rules)
        (directory / "broken.yml").write_text("groups: [{name: g, rules: [{record: a, expr: 'up ('}]}]\n")
        # Five minutes on both sides of a block's border.
        span = ("--start=1699999500", "--end=2023-11-14T22:20:00Z")
        dumps = []
        for who, run in [("theirs", original), ("mine", ours)]:
            code, out, err = run(directory, "tsdb", "create-blocks-from", "rules", f"--url={server}", *span, f"--output-dir={who}", "rules.yml")
            assert code == 0, (who, out, err)
            (directory / who / "wal").mkdir(exist_ok=True)
            code, out, err = ours(directory, "tsdb", "dump", who)
            dumps.append(sorted(out.splitlines()))
        assert dumps[0] == dumps[1] and len(dumps[0]) > 100, [len(d) for d in dumps]
        code, out, err = ours(directory, "tsdb", "create-blocks-from", "rules", f"--url={server}", *span, "--storage.tsdb.path=store", "rules.yml")
        assert code == 0, err
        assert sorted(ours(directory, "tsdb", "dump", "store")[1].splitlines()) == dumps[0]
        command = ("tsdb", "create-blocks-from", "rules", f"--url={server}", "--output-dir=x")
        for arguments in [("--start=5", "--end=5"), ("--start=x",), ("--start=5", "--end=y")]:
            arguments = (*command, *arguments, "rules.yml")
            assert original(directory, *arguments) == ours(directory, *arguments), arguments
        for arguments in [("rules.yml",), ("--start=5", "broken.yml"), ("--start=5", "nowhere.yml")]:
            theirs, mine = original(directory, *command, *arguments), ours(directory, *command, *arguments)
            assert theirs[:2] == mine[:2] and theirs[2].splitlines()[-1] == mine[2].splitlines()[-1], (theirs, mine)


def test_debugging_and_analysis():
    server = stack.shared().url("prometheus")
    with scratch() as directory:
        for what in ["metrics", "all"]:
            code, out, err = ours(directory, "debug", what, server)
            assert code == 0 and out.endswith('all files written in "debug.tar.gz".\n'), (out, err)
            with tarfile.open(directory / "debug.tar.gz") as archive:
                page = archive.extractfile("metrics.txt").read().decode()
                assert "prometheus_build_info" in page and page.endswith("\n")
                assert what == "metrics" or "config.json" in archive.getnames()
        code, _, err = ours(directory, "debug", "pprof", server)
        assert code == 1 and "debug pprof is not supported" in err
        assert original(directory, "debug", "metrics", "http://127.0.0.1:1") == ours(directory, "debug", "metrics", "http://127.0.0.1:1")
        asked = ("query", "analyze", f"--server={server}", "--type=histogram", f"--time={time.time() - 5:.0f}", "--duration=1m")
        for arguments in [
            (*asked, "--match=prometheus_http_request_duration_seconds_bucket"),
            (*asked, "--match=up", "--match=nothing_of_the_kind"),
            (*asked, "--match={le="),
            ("query", "analyze", f"--server={server}", "--type=x", "--match=up"),
            ("query", "analyze", f"--server={server}", "--type=histogram"),
        ]:
            theirs, mine = original(directory, *arguments), ours(directory, *arguments)
            assert sorted(theirs[1].splitlines()) == sorted(mine[1].splitlines()), (theirs, mine)
            assert (theirs[0], theirs[2]) == (mine[0], mine[2]), (theirs, mine)


def test_files_are_checked_as_the_original_does():
    files = {
        "good.yml": "global: {scrape_interval: 15s}\nrule_files: [rules.yml]\nscrape_configs: [{job_name: a, static_configs: [{targets: ['x:1']}]}]\n",
        "unknown.yml": "scrape_configs: [{job_nam: a}]\n",
        "missing.yml": "rule_files: [nope.yml]\n",
        "twice.yml": "scrape_configs: [{job_name: a}, {job_name: a}]\n",
        "rules.yml": RULES,
        "twins.yml": "groups: [{name: g, rules: [{record: a, expr: up}, {record: a, expr: down}]}]\n",
        "broken.yml": "groups: [{name: g, rules: [{record: a, expr: 'up ('}]}]\n",
        "empty.yml": "\n",
    }
    # Those that end well, and lint, print the same; for the others the code counts.
    exact = [
        ("check", "config", "good.yml"),
        ("check", "config", "--syntax-only", "missing.yml"),
        ("check", "config", "missing.yml"),
        ("check", "config", "empty.yml"),
        ("check", "config", "nowhere.yml"),
        ("check", "rules", "rules.yml"),
        ("check", "rules", "rules.yml", "twins.yml"),
        ("check", "rules", "--lint-fatal", "twins.yml"),
        ("check", "rules", "--lint=none", "twins.yml"),
        ("check", "rules", "nowhere.yml"),
    ]
    judged = [("check", "config", "unknown.yml"), ("check", "config", "twice.yml"), ("check", "rules", "broken.yml")]
    with scratch() as directory:
        for name, text in files.items():
            (directory / name).write_text(text)
        for arguments in exact:
            assert original(directory, *arguments) == ours(directory, *arguments), arguments
        for arguments in judged:
            theirs, mine = original(directory, *arguments), ours(directory, *arguments)
            assert theirs[:2] == mine[:2], (arguments, theirs, mine)
            assert "FAILED" in mine[2], mine


def test_metrics_pages_are_linted_as_the_original_does():
    pages = [
        "# HELP a_total x\n# TYPE a_total counter\na_total 1\n",
        "# TYPE a counter\na 1\nc_ms 1\n",
        "# HELP size_kilobytes x\n# TYPE size_kilobytes gauge\nsize_kilobytes 1\n",
        "# HELP a_count x\n# TYPE a_count gauge\na_count{le=\"1\"} 1\n",
        "# HELP myMetric x\n# TYPE myMetric gauge\nmyMetric{someLabel=\"1\"} 1\n",
        "# HELP a:b x\n# TYPE a:b gauge\na:b 1\n",
    ]
    for page in pages:
        assert original(".", "check", "metrics", stdin=page) == ours(".", "check", "metrics", stdin=page), page


def test_queries_print_what_the_original_prints():
    server = stack.shared().url("prometheus")
    for arguments in [
        ("query", "instant", "--time=1700000000", server, "vector(1)"),
        ("query", "instant", "--time=1700000000", server, "1"),
        ("query", "instant", "--time=1700000000", server, 'label_replace(vector(2), "a", "b", "", "")'),
        ("query", "instant", "--time=1700000000", "-o", "json", server, "vector(1)"),
        ("query", "instant", server, "up +"),
        ("query", "instant", server, "nothing_of_the_kind"),
        ("query", "range", "--start=1700000000", "--end=1700000060", "--step=30s", server, "vector(42)"),
        ("query", "labels", server, "nothing_of_the_kind"),
        ("check", "healthy", f"--url={server}"),
        ("check", "ready", f"--url={server}"),
    ]:
        assert original(".", *arguments) == ours(".", *arguments), arguments
    code, out, _ = ours(".", "query", "series", "--match=up", server)
    assert code == 0 and "up{" in out, out
