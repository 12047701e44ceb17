"""The command-line tools, beside the original's promtool where this machine has it.

What is right must be judged the same, to the byte; where a file is broken the original's YAML library has
words of its own, so there only the exit code and the judgement count.
"""

import subprocess

import process
import stack
from support import PEERS, SkipTest, scratch

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
            arguments = ("test", "rules", "test.yml")
            theirs, mine = original(directory, *arguments), ours(directory, *arguments)
            if theirs != mine:
                differing.append(f"{name}:\n--- original\n{theirs}\n--- ours\n{mine}")
    assert not differing, f"{len(differing)} of {len(CASES)}\n" + "\n".join(differing)


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
