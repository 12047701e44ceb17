"""The original's own client and its API, asked of this program and of the original: the answers are the same.

Both get the same configuration, alerts and silences; with `--no-version-check`, because versions differ. Ids and times of the moment are numbered in the order in which
they appear, everything else is compared as it is.
"""

import json
import os
import re
import subprocess

import client
from process import Process, binary, free_port
from support import PEERS, SkipTest, scratch, time_limit, until

CONFIG = """
global: {resolve_timeout: 5m}
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 50ms
  group_interval: 1s
  routes:
    - matchers: [severity="critical"]
      receiver: chat
      continue: true
      mute_time_intervals: [always]
    - matchers: [severity=~"critical|page", 'team!=""']
      receiver: pager
      group_by: ['...']
receivers:
  - name: hook
    webhook_configs: [{url: 'http://127.0.0.1:9/x'}]
  - name: chat
    labels: {name: chat, owner: ops}
    webhook_configs: [{url: 'http://127.0.0.1:9/y'}]
  - name: pager
time_intervals: [{name: always, time_intervals: [{years: ['2000:2100']}]}]
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [alertname]
"""

ALERTS = [
    {"labels": {"alertname": "Down", "severity": "warning", "job": "a"}, "annotations": {"summary": "s <&> ü", "empty": ""}},
    {"labels": {"alertname": "Down", "severity": "critical", "instance": "i1"}, "generatorURL": "http://prom/g?x=1&y=2"},
    {"labels": {"alertname": "Full", "severity": "page", "team": "db", "empty": ""}},
    {"labels": {"alertname": "Quiet", "team": "db"}, "startsAt": "2024-02-03T04:05:06.789012345Z"},
    {"labels": {"töst": "ü", "b": "1"}},
    {"labels": {"z": "1"}},
    {"labels": {"a": "1"}},
    {"labels": {"alertname": "Over"}, "startsAt": "2024-01-01T00:00:00Z", "endsAt": "2024-01-01T00:01:00Z"},
]

LATER = "2099-01-01T00:00:00Z"


def silence(matchers, **more):
    base = {"matchers": matchers, "startsAt": "2020-01-01T00:00:00Z", "endsAt": LATER, "createdBy": "me", "comment": "why"}
    return {**base, **more}


MATCHER = {"name": "team", "value": "db", "isRegex": False}

# Method, path, body (text as it is, anything else as JSON), headers.
REQUESTS = [
    ("GET", "/api/v2/alerts"),
    ("GET", "/api/v2/alerts/groups"),
    ("GET", "/api/v2/alerts/groups?muted=false"),
    ("GET", "/api/v2/alerts/groups?receiver=ch.*"),
    ("GET", "/api/v2/alerts/groups?filter=team%3D%22db%22"),
    ("GET", "/api/v2/alerts/groups?inhibited=false&active=true"),
    ("GET", "/api/v2/alerts?active=false"),
    ("GET", "/api/v2/alerts?silenced=false"),
    ("GET", "/api/v2/alerts?inhibited=false"),
    ("GET", "/api/v2/alerts?unprocessed=false"),
    ("GET", "/api/v2/alerts?active=maybe"),
    ("GET", "/api/v2/alerts?receiver=chat"),
    ("GET", "/api/v2/alerts?receiver=c"),
    ("GET", "/api/v2/alerts?receiver=("),
    ("GET", "/api/v2/alerts?filter=severity%3Dwarning&filter=job%3Da"),
    ("GET", "/api/v2/alerts?filter=severity%21%3Dwarning"),
    ("GET", "/api/v2/alerts?filter=team%3D%22%22"),
    ("GET", "/api/v2/alerts?filter=team%21%3D%22%22"),
    ("GET", "/api/v2/alerts?filter=team%3D~%22d.%7Cx%22"),
    ("GET", "/api/v2/alerts?filter=team%21~%22d.%22"),
    ("GET", "/api/v2/alerts?filter=a"),
    ("GET", "/api/v2/alerts?filter=a%3D1%2Cb%3D2"),
    ("GET", "/api/v2/alerts?filter=%22t%C3%B6st%22%3D%22%C3%BC%22"),
    ("GET", "/api/v2/alerts?filter=a%3D~%22(%22"),
    ("GET", "/api/v2/alerts?receiver_matchers=owner%3Dops"),
    ("GET", "/api/v2/alerts?receiver_matchers=x"),
    ("GET", "/api/v2/alerts/groups?receiver_matchers=owner%3Dops"),
    ("GET", "/api/v2/receivers"),
    ("GET", "/api/v2/receivers?receiver_matchers=owner%3Dops"),
    ("GET", "/api/v2/receivers?receiver_matchers=x"),
    ("GET", "/api/v2/silences"),
    ("GET", "/api/v2/silences?filter=team%3Ddb"),
    ("GET", "/api/v2/silences?filter=team%3Dxx"),
    ("GET", "/api/v2/silences?filter=x"),
    ("GET", "/api/v2/silence/nope"),
    ("GET", "/api/v2/silence/01234567-89ab-cdef-0123-456789abcdef"),
    ("DELETE", "/api/v2/silence/01234567-89ab-cdef-0123-456789abcdef"),
    ("DELETE", "/api/v2/silence/nope"),
    ("POST", "/api/v2/silences", {}),
    ("POST", "/api/v2/silences", "{"),
    ("POST", "/api/v2/silences", "[]"),
    ("POST", "/api/v2/silences", silence([])),
    ("POST", "/api/v2/silences", silence([{"name": "a", "value": "b"}])),
    ("POST", "/api/v2/silences", silence([{"name": "a", "value": "", "isRegex": False}])),
    ("POST", "/api/v2/silences", silence([{"name": "a", "value": "x*", "isRegex": True}])),
    ("POST", "/api/v2/silences", silence([{"name": "a", "value": "(", "isRegex": True}])),
    ("POST", "/api/v2/silences", silence([{"name": "", "value": "b", "isRegex": False}])),
    ("POST", "/api/v2/silences", silence([MATCHER], endsAt="2020-01-02T00:00:00Z")),
    ("POST", "/api/v2/silences", silence([MATCHER], endsAt="2019-01-02T00:00:00Z")),
    ("POST", "/api/v2/silences", silence([MATCHER], id="01234567-89ab-cdef-0123-456789abcdef")),
    ("POST", "/api/v2/silences", silence([MATCHER], id="nope")),
    ("POST", "/api/v2/alerts", "{"),
    ("POST", "/api/v2/alerts", "{}"),
    ("POST", "/api/v2/alerts", ""),
    ("POST", "/api/v2/alerts", "[]"),
    ("POST", "/api/v2/alerts", "[{}]"),
    ("POST", "/api/v2/alerts", [{"labels": {}}]),
    ("POST", "/api/v2/alerts", [{"labels": {"alertname": 5}}]),
    ("POST", "/api/v2/alerts", [{"labels": {"a": "b"}, "startsAt": "yesterday"}]),
    ("POST", "/api/v2/alerts", [{"labels": {"a": "b"}, "startsAt": "2030-01-01T00:00:00Z", "endsAt": "2020-01-01T00:00:00Z"}]),
    ("POST", "/api/v2/alerts", [{"labels": {"": "b"}}, {"labels": {"ok": "x"}, "annotations": {"": "b"}}]),
    ("POST", "/api/v2/alerts", "[]", {"Content-Type": "text/plain"}),
    ("OPTIONS", "/api/v2/alerts", None, {"Origin": "http://x", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}),
    ("OPTIONS", "/api/v2/alerts", None, {"Origin": "http://x", "Access-Control-Request-Method": "DELETE"}),
    ("GET", "/api/v2/receivers", None, {"Origin": "http://x"}),
    ("GET", "/api/v2/nope"),
    ("GET", "/api/v1/alerts"),
    ("GET", "/api/v1/nope"),
    ("POST", "/api/v1/alerts", []),
    ("GET", "/-/healthy"),
    ("GET", "/-/reload"),
    ("POST", "/-/reload"),
]

# What is compared of a reply beside status and body.
HEADERS = ["content-type", "cache-control", "vary", "access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers"]

TEMPLATE = '{{ define "x" }}{{ .Receiver }}: {{ range .Alerts }}{{ .Labels.alertname }} {{ end }}{{ .CommonLabels.SortedPairs.Values | join "," }}{{ end }}'
DATA = {
    "receiver": "r", "status": "firing", "groupLabels": {}, "commonLabels": {"a": "1", "b": "2"}, "commonAnnotations": {}, "externalURL": "http://x",
    "alerts": [{"status": "firing", "labels": {"alertname": "Down"}, "annotations": {}, "startsAt": "2024-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}],
}

# `%ID0` is the id of the first silence the side has made, `%DIR` the directory with files.
COMMANDS = [
    "alert query",
    "alert query -o extended",
    "alert query -o json",
    "alert query Down",
    "alert query severity=critical",
    "alert query 'severity=~\"crit.*\"' alertname=Down",
    "alert query -i",
    "alert query -s",
    "alert query -a",
    "alert query -r chat",
    "alert query team=~(",
    "alert add alertname=New node=one --annotation=summary=hello --generator-url=http://g --start=2024-01-01T00:00:00Z",
    "alert add 'bad'",
    "alert query New -o json",
    "silence add alertname=New -c testing -a tester -d 2h",
    "silence add 'alertname=~N.*' node=one --comment=two --author=tester --start=2098-01-01T00:00:00Z --end=2099-01-01T00:00:00Z --annotation=ticket=7",
    "silence add",
    "silence add alertname=X",
    "silence query",
    "silence query -o extended",
    "silence query -o json",
    "silence query -q",
    "silence query alertname=New",
    "silence query --created-by=tester",
    "silence query --id=%ID0",
    "silence query --within=1h",
    "alert query New -s",
    "silence update -d 4h -c longer %ID0",
    "silence query -o json",
    "silence expire %ID0",
    "silence expire 01234567-89ab-cdef-0123-456789abcdef",
    "silence query --expired",
    "silence query --expired -o json",
    "silence import --worker=1 %DIR/silences.json",
    "silence import --force --worker=1 %DIR/silences.json",
    "silence query -o json",
    "config show",
    "config routes show",
    "config routes test severity=critical",
    "config routes test severity=critical team=x --tree",
    "config routes test severity=page team=x --verify.receivers=pager",
    "config routes test severity=page --verify.receivers=pager",
    "config routes --config.file=%DIR/good.yml test severity=page team=x",
    "check-config %DIR/good.yml",
    "check-config %DIR/bad.yml",
    "check-config %DIR/missing.yml",
    "template render --template.glob=%DIR/*.tmpl --template.text='{{ template \"x\" . }}' --template.data=%DIR/data.json",
]


class Side:
    def __init__(self, directory, name, command, *more):
        self.directory = directory
        (directory / name).mkdir()
        self.file = directory / name / "am.yml"
        self.file.write_text(CONFIG)
        self.url = f"http://127.0.0.1:{free_port()}"
        flags = [
            f"--config.file={self.file}", f"--storage.path={directory / name / 'data'}", "--web.external-url=http://am.example",
            f"--web.listen-address={self.url.removeprefix('http://')}", "--web.route-prefix=/", *more,
        ]
        self.process = Process([*command, *flags], directory / f"{name}.log").start()
        self.ids = []

    def ready(self):
        return client.get(self.url + "/-/ready").status == 200

    def ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if method == "POST" and body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, str) else json.dumps(body)
        reply = client.request(method, self.url + path, body, headers=headers)
        shown = {name: reply.headers.get(name) for name in HEADERS if name in reply.headers}
        return reply.status, shown, Stable().text(reply.text)

    def amtool(self, command):
        for i, id in enumerate(self.ids):
            command = command.replace(f"%ID{i}", id)
        command = command.replace("%DIR", str(self.directory))
        env = {**os.environ, "HOME": str(self.directory), "TZ": "UTC"}
        done = subprocess.run(
            f"{PEERS}/amtool --no-version-check --alertmanager.url={self.url} {command}", shell=True, env=env, capture_output=True, text=True, timeout=30
        )
        if command.startswith("silence add") and done.returncode == 0:
            self.ids.append(done.stdout.strip())
        said = done.stdout + "--\n" + done.stderr.replace(self.url, "URL").replace(self.url.removeprefix("http://"), "URL")
        return done.returncode, Stable().text(said)

    def close(self):
        self.process.close()


class Stable:
    """Numbers ids and recent times in the order of their appearance; what is the same stays the same."""

    def __init__(self):
        self.seen = {}

    def text(self, text):
        number = lambda kind: lambda m: self.seen.setdefault(m[0], f"{kind}{len(self.seen)}")
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", number("ID"), text)
        # The years of this test's own dates are left as they are.
        text = re.sub(r"20[3-8]\d-\d\d-\d\d[T ][\d:.]+(Z| UTC)?|202[5-9]-\d\d-\d\d[T ][\d:.]+(Z| UTC)?", "T", text)
        return re.sub(r'ts=\S+|level=\S+ source=\S+', "", text)


def lines(text):
    """Lists whose order the original leaves open are compared as sets of lines."""
    return sorted(text.splitlines())


def both(directory, *more):
    if not (PEERS / "prometheus-alertmanager").exists() or not (PEERS / "amtool").exists():
        raise SkipTest("the original is not installed")
    sides = [
        Side(directory, "ours", [binary(), "alertmanager"], *more),
        Side(directory, "theirs", [PEERS / "prometheus-alertmanager"], *more),
    ]
    for side in sides:
        until(side.ready, "an Alertmanager")
    for side in sides:
        client.post(side.url + "/api/v2/alerts", json=ALERTS).expect(200)
        client.post(side.url + "/api/v2/silences", json=silence([MATCHER])).expect(200)
    # Groups are flushed once, so that the original knows which are muted.
    for side in sides:
        until(lambda: "always" in client.get(side.url + "/api/v2/alerts/groups").text, "a muted group")
    return sides


@time_limit(120)
def test_the_api_answers_as_the_original():
    with scratch() as directory:
        sides = both(directory, "--cluster.listen-address=")
        try:
            found = []
            for request in REQUESTS:
                ours, theirs = [side.ask(*request) for side in sides]
                if ours != theirs:
                    found.append(f"{request}\n  ours   {ours}\n  theirs {theirs}")
            assert not found, f"{len(found)} of {len(REQUESTS)} differ\n" + "\n".join(found)
        finally:
            for side in sides:
                side.close()


@time_limit(180)
def test_amtool_says_the_same():
    with scratch() as directory:
        (directory / "good.yml").write_text(CONFIG)
        (directory / "bad.yml").write_text(CONFIG.replace("receiver: pager", "receiver: nobody"))
        (directory / "x.tmpl").write_text(TEMPLATE)
        (directory / "data.json").write_text(json.dumps(DATA))
        imported = [silence([MATCHER], comment=f"imported {i}", startsAt=f"209{6 + i}-01-01T00:00:00Z") for i in range(2)]
        (directory / "silences.json").write_text(json.dumps([{**s, "id": f"01234567-89ab-cdef-0123-45678900000{i}"} for i, s in enumerate(imported)]))
        sides = both(directory, "--cluster.listen-address=")
        try:
            found = []
            for command in COMMANDS:
                (our_code, ours), (their_code, theirs) = [side.amtool(command) for side in sides]
                if our_code != their_code or lines(ours) != lines(theirs):
                    found.append(f"amtool {command}\n  ours   {our_code} {ours}\n  theirs {their_code} {theirs}")
            assert not found, f"{len(found)} of {len(COMMANDS)} differ\n" + "\n".join(found)
        finally:
            for side in sides:
                side.close()


@time_limit(60)
def test_amtool_shows_a_cluster_of_one():
    with scratch() as directory:
        sides = both(directory, "--cluster.listen-address=127.0.0.1:0", "--cluster.settle-timeout=0s", "--cluster.peer-name=me")
        try:
            def shown(side):
                code, text = side.amtool("cluster show")
                return code, re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)

            ours, theirs = [until(lambda: "ready" in shown(side)[1] and shown(side), "a settled cluster") for side in sides]
            assert ours == theirs, f"{ours}\n{theirs}"
        finally:
            for side in sides:
                side.close()
