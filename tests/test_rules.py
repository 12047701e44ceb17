"""The shipped rules and routes: each alert has a page, a test and a way to somebody, here and by the original's tools."""

import re
import subprocess

import process
from support import PEERS, ROOT, SkipTest, time_limit

PROMETHEUS = ROOT / "prometheus"
ALERT = re.compile(r"^\s*- alert: (\w+)$", re.M)
RECORD = re.compile(r"^\s*- record: ([\w:]+)$", re.M)

# What is asked, and who is told, in the order of the routes.
ROUTES = [
    ("severity=critical", "critical"),
    ("severity=warning", "warning"),
    ("severity=info", "webhook"),
    ("alertname=Custom", "webhook"),
    ("severity=warning team=ai", "ai-team,warning"),
    ("severity=critical team=security", "security-team,critical"),
    ("team=ai", "ai-team"),
    ("alertname=Watchdog severity=none", "nobody"),
    ("alertname=InfoInhibitor severity=none", "nobody"),
]


def shipped():
    """Names of alerts and of recorded series, in all files the configuration names."""
    listed = re.search(r"^rule_files:\n((?: +.*\n)+)", (PROMETHEUS / "prometheus.yml").read_text(), re.M).group(1)
    files = [PROMETHEUS / path for path in re.findall(r"- (\S+\.yml)", listed) if "*" not in path]
    texts = [path.read_text() for path in files]
    present = {*PROMETHEUS.glob("alerts/*.yml"), *PROMETHEUS.glob("rules/*.yml")}
    assert set(files) == present, f"not in rule_files: {present - set(files)}"
    return [n for t in texts for n in ALERT.findall(t)], [n for t in texts for n in RECORD.findall(t)]


def test_every_alert_has_a_page_and_a_test():
    alerts, _ = shipped()
    assert len(alerts) > 50 and len(alerts) == len(set(alerts)), alerts
    tests = "".join(path.read_text() for path in PROMETHEUS.glob("tests/*.yml"))
    rules = "".join(path.read_text() for path in PROMETHEUS.glob("alerts/*.yml"))
    for name in alerts:
        page = ROOT / "docs/runbooks" / f"{name}.md"
        assert page.is_file(), f"no runbook: {page}"
        assert page.read_text().startswith(f"# {name}\n"), page
        assert f'runbook_url: "{{{{ $externalURL }}}}/runbooks/{name}"' in rules, f"{name} has no runbook_url"
        fires = rf"eval_time: \S+\s+alertname: {name}\s+exp_alerts:\s+- exp_labels"
        assert re.search(fires, tests), f"no test sees {name} fire"
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    assert pages == set(alerts), f"pages without an alert: {pages - set(alerts)}"


def test_every_recorded_series_is_tested_and_read():
    _, records = shipped()
    tests = (PROMETHEUS / "tests/recording_test.yml").read_text()
    readers = "".join(path.read_text() for path in [*ROOT.glob("grafana/dashboards/*.json"), *PROMETHEUS.glob("alerts/*.yml"), *PROMETHEUS.glob("rules/*.yml")])
    assert records
    for name in records:
        assert f"expr: '{name}'" in tests, f"{name} has no test"
        assert len(re.findall(rf"(?<![\w:]){name}(?![\w:])", readers)) > 1, f"nobody reads {name}"


@time_limit(240)
def test_the_rule_tests_pass_here_and_with_promtool():
    files = sorted(str(path) for path in PROMETHEUS.glob("tests/*.yml"))
    assert files
    tools = [[str(process.binary())]]
    if (PEERS / "promtool").exists():
        tools.append([str(PEERS / "promtool")])
    for tool in tools:
        done = subprocess.run([*tool, "test", "rules", *files], capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, f"{tool}\n{done.stdout}{done.stderr}"
        assert (done.stdout + done.stderr).count("SUCCESS") == len(files), done.stdout + done.stderr


def test_amtool_finds_the_way_of_every_kind_of_alert():
    if not (PEERS / "amtool").exists():
        raise SkipTest("amtool is not installed")
    file = f"--config.file={ROOT / 'alertmanager/alertmanager.yml'}"
    for labels, receivers in ROUTES:
        command = [str(PEERS / "amtool"), "config", "routes", "test", file, f"--verify.receivers={receivers}", *labels.split()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{labels}: {done.stdout}{done.stderr}"
