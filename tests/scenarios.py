"""What happens to alerts, as scripts: a configuration, and what is done to a running Alertmanager at which moment.

Times are in units of `UNIT` seconds. Groups wait 1 unit and then look again every 4; what happens in between is put
well away from those ticks, so that a busy machine does not change the outcome.
"""

UNIT = 0.25

TIMING = "group_wait: 250ms, group_interval: 1s, repeat_interval: 1h"


def config(routes="", receivers="", top=f"receiver: root, {TIMING}, group_by: [alertname]", more=""):
    """A configuration with a webhook `root` at /root; `receivers` names further ones, each at a path of its name."""
    own = "".join(f"  - {{name: {name}, webhook_configs: [{{url: 'URL/{name}', send_resolved: true}}]}}\n" for name in receivers.split())
    return f"route: {{{top}, routes: [{routes}]}}\nreceivers:\n  - {{name: root, webhook_configs: [{{url: 'URL/root', send_resolved: true}}]}}\n{own}{more}"


def fire(labels, at=0, **more):
    return (at, "alerts", [{"labels": labels, "annotations": {"summary": "S"}, "startsAt": 0, **more}])


def alerts(*list_of_labels, at=0, **more):
    return (at, "alerts", [{"labels": labels, "startsAt": 0, **more} for labels in list_of_labels])


def resolve(labels, at):
    """The alert has ended, one unit before."""
    return (at, "alerts", [{"labels": labels, "annotations": {"summary": "S"}, "startsAt": 0, "endsAt": at - 1}])


def silence(at, until, *matchers, **more):
    """Matchers as (name, operator, value)."""
    made = [{"name": n, "value": v, "isRegex": "~" in o, "isEqual": not o.startswith("!")} for n, o, v in matchers]
    return (at, "silence", {"matchers": made, "startsAt": at, "endsAt": until, "createdBy": "me", "comment": "c", **more})


def A(name="A", **labels):
    return {"alertname": name, **labels}


SCENARIOS = {}


def scenario(name, text, *steps, lasts=10):
    assert name not in SCENARIOS, name
    SCENARIOS[name] = (text, sorted(steps, key=lambda s: s[0]), lasts)


def top(group_by=None, extra=""):
    by = "" if group_by is None else f", group_by: {group_by}"
    return f"receiver: root, {TIMING}{by}{extra}"


# --- Grouping -----------------------------------------------------------------
three = [A(instance="b", job="x"), A(instance="a", job="x"), A("B", instance="a", job="y")]
scenario("group/none", config(top=top()), alerts(*three))
scenario("group/empty", config(top=top("[]")), alerts(*three))
scenario("group/all", config(top=top("['...']")), alerts(*three))
scenario("group/one", config(top=top("[instance]")), alerts(*three))
scenario("group/two", config(top=top("[job, instance]")), alerts(*three))
scenario("group/missing", config(top=top("[nowhere, job]")), alerts(*three, A("C")))
scenario("group/child-overrides", config("{receiver: a, matchers: [job=x], group_by: [instance]}", "a"), alerts(*three))
scenario("group/child-inherits", config("{receiver: a, matchers: [job=x]}", "a"), alerts(*three))
scenario("group/child-empty", config("{receiver: a, matchers: [job=x], group_by: []}", "a"), alerts(*three))
scenario("group/utf8", config(top=top("['über 1']")), alerts({"über 1": "ü", "b": "1"}, {"über 1": "ö", "b": "2"}))

# --- Routing ------------------------------------------------------------------
kinds = [A(severity="critical", team="a"), A(severity="warning", team="b"), A(severity="info"), A()]
scenario("route/first", config("{receiver: a, matchers: [severity=critical]}, {receiver: b, matchers: [team=a]}", "a b"), alerts(*kinds))
scenario("route/continue", config("{receiver: a, matchers: [severity=critical], continue: true}, {receiver: b, matchers: [team=a]}", "a b"), alerts(*kinds))
scenario("route/continue-alone", config("{receiver: a, matchers: [severity=critical], continue: true}", "a"), alerts(*kinds))
scenario("route/nested", config("{receiver: a, matchers: [severity=~'critical|warning'], routes: [{receiver: b, matchers: [team=b]}]}", "a b"), alerts(*kinds))
scenario("route/nested-continue", config("{receiver: a, matchers: [severity!=info], continue: true, routes: [{receiver: b, matchers: [team=~'.+'], continue: true}, {receiver: c, matchers: [team=b]}]}, {receiver: d}", "a b c d"), alerts(*kinds))
scenario("route/not-equal", config("{receiver: a, matchers: [team!=a]}", "a"), alerts(*kinds))
scenario("route/not-regex", config("{receiver: a, matchers: [team!~'a|b']}", "a"), alerts(*kinds))
scenario("route/absent", config("{receiver: a, matchers: [team='']}", "a"), alerts(*kinds))
scenario("route/match", config("{receiver: a, match: {severity: critical}}, {receiver: b, match_re: {team: 'b|c'}}", "a b"), alerts(*kinds))
scenario("route/match-and-matchers", config("{receiver: a, match: {severity: critical}, match_re: {team: 'a.*'}, matchers: [alertname=A]}", "a"), alerts(*kinds))
scenario("route/quoted", config("{receiver: a, matchers: ['\"severity\" = \"critical\"', 'team=~\"a|b\"']}", "a"), alerts(*kinds))
scenario("route/utf8", config("{receiver: a, matchers: ['\"über 1\"=\"ü\"']}", "a"), alerts({"über 1": "ü"}, {"über 1": "u"}))
scenario("route/braces", config("{receiver: a, matchers: ['{severity=critical,team=a}']}", "a"), alerts(*kinds))
scenario("route/two-integrations", config(receivers="", more="  - {name: two, webhook_configs: [{url: 'URL/one'}, {url: 'URL/two', send_resolved: false}]}\n", routes="{receiver: two, matchers: [severity=critical]}"), alerts(*kinds), resolve(kinds[0], 3), lasts=12)
scenario("route/timing-of-its-own", config("{receiver: a, matchers: [severity=critical], group_wait: 0s}", "a"), alerts(*kinds))

# --- Life of a group ----------------------------------------------------------
scenario("life/one", config(), fire(A()))
scenario("life/resolved", config(), fire(A()), resolve(A(), 3), lasts=12)
scenario("life/resolved-before-wait", config(top=f"receiver: root, group_wait: 1s, group_interval: 1s, repeat_interval: 1h, group_by: [alertname]"), fire(A()), resolve(A(), 2), lasts=12)
scenario("life/second-joins", config(), fire(A(i="1")), fire(A(i="2"), 3), lasts=12)
scenario("life/second-leaves", config(), alerts(A(i="1"), A(i="2")), resolve(A(i="2"), 3), lasts=14)
scenario("life/both-leave-apart", config(), alerts(A(i="1"), A(i="2")), resolve(A(i="1"), 3), resolve(A(i="2"), 7), lasts=16)
scenario("life/again", config(), fire(A()), resolve(A(), 3), (7, "alerts", [{"labels": A(), "startsAt": 7}]), lasts=16)
scenario("life/again-at-once", config(), fire(A()), resolve(A(), 2.5), (3.2, "alerts", [{"labels": A(), "startsAt": 3.1}]), lasts=12)
scenario("life/refreshed", config(), fire(A()), fire(A(), 3), fire(A(), 7), lasts=14)
scenario("life/annotation-changes", config(), fire(A()), fire(A(), 3, annotations={"summary": "T"}), fire(A(i="2"), 3.1), lasts=12)
scenario("life/began-long-ago", config(top=f"receiver: root, group_wait: 10s, group_interval: 1s, repeat_interval: 1h"), fire(A(), startsAt=-100))
scenario("life/resolved-unseen", config(), (0, "alerts", [{"labels": A(), "startsAt": -20, "endsAt": -10}]))
scenario("life/ends-by-itself", config(more="global: {resolve_timeout: 1s}\n"), (0, "alerts", [{"labels": A()}]), lasts=16)
scenario("life/kept-alive", config(more="global: {resolve_timeout: 1s}\n"), *[(at, "alerts", [{"labels": A()}]) for at in (0, 2.5, 5.3)], lasts=20)
scenario("life/own-end", config(), (0, "alerts", [{"labels": A(), "startsAt": 0, "endsAt": 3}]), lasts=12)
scenario("life/repeat", config(top="receiver: root, group_wait: 250ms, group_interval: 1s, repeat_interval: 1500ms"), fire(A(), endsAt=100), lasts=18)
scenario("life/no-resolved", config(more="  - {name: quiet, webhook_configs: [{url: 'URL/quiet', send_resolved: false}]}\n", routes="{receiver: quiet}"), alerts(A(i="1"), A(i="2")), resolve(A(i="1"), 3), resolve(A(i="2"), 7), lasts=16)

# --- Silences -----------------------------------------------------------------
scenario("silence/before", config(), silence(0, 100, ("alertname", "=", "A")), alerts(A(), A("B"), at=0.5))
scenario("silence/ends", config(), silence(0, 6, ("alertname", "=", "A")), fire(A(), 0.5), lasts=14)
scenario("silence/after", config(), alerts(A(i="1"), A(i="2")), silence(3, 100, ("i", "=", "1")), fire(A(i="3"), 3), lasts=12)
scenario("silence/hides-resolution", config(), fire(A()), silence(2.6, 7, ("alertname", "=", "A")), resolve(A(), 3), lasts=16)
scenario("silence/regex", config(), silence(0, 100, ("i", "=~", "1|2")), alerts(A(i="1"), A(i="2"), A(i="12"), at=0.5))
scenario("silence/not", config(), silence(0, 100, ("i", "!=", "1"), ("alertname", "=~", "A")), alerts(A(i="1"), A(i="2"), A("B"), at=0.5))
scenario("silence/not-regex", config(), silence(0, 100, ("i", "!~", "1.*"), ("alertname", "=", "A")), alerts(A(i="1"), A(i="2"), A(), at=0.5))
scenario("silence/later", config(), silence(6, 100, ("i", "=", "1")), alerts(A(i="1"), A(i="2")), fire(A(i="3"), 7), lasts=14)
scenario("silence/expired-by-hand", config(), silence(0, 100, ("alertname", "=", "A")), fire(A(), 0.5), (3, "expire", 0), lasts=12)

# --- Inhibition ---------------------------------------------------------------
def inhibit(rule):
    return config(top=top("[alertname]"), more=f"inhibit_rules: [{rule}]\n")


plain = "{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [instance]}"
critical, warning = A("C", severity="critical", instance="1"), A("W", severity="warning", instance="1")
scenario("inhibit/source", inhibit(plain), alerts(critical, warning, A("W", severity="warning", instance="2")))
scenario("inhibit/missing-is-equal", inhibit(plain), alerts(A("C", severity="critical"), A("W", severity="warning"), warning))
scenario("inhibit/source-ends", inhibit(plain), alerts(critical, warning), resolve(critical, 3), lasts=14)
scenario("inhibit/source-comes", inhibit(plain), alerts(warning), fire(critical, 3), fire(A("W", severity="warning", instance="1", more="x"), 3), lasts=14)
scenario("inhibit/both-sides", inhibit("{source_matchers: [severity=~'critical|warning'], target_matchers: [severity=~'warning|info'], equal: [instance]}"), alerts(critical, warning, A("I", severity="info", instance="1")))
scenario("inhibit/itself", inhibit("{source_matchers: [severity=critical], target_matchers: [severity=critical]}"), alerts(critical, A("D", severity="critical", instance="2")))
scenario("inhibit/old-words", inhibit("{source_match: {severity: critical}, target_match_re: {severity: 'warn.*'}, equal: [instance]}"), alerts(critical, warning))
scenario("inhibit/two-equal", inhibit("{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [instance, job]}"), alerts({**critical, "job": "x"}, {**warning, "job": "x"}, {**warning, "job": "y"}))

# --- Time intervals -----------------------------------------------------------
always = "time_intervals: [{name: always, time_intervals: [{}]}, {name: never, time_intervals: [{years: ['1999']}]}]\n"
scenario("time/muted", config("{receiver: a, matchers: [alertname=A], mute_time_intervals: [always]}", "a", more=always), alerts(A(), A("B")))
scenario("time/not-muted", config("{receiver: a, matchers: [alertname=A], mute_time_intervals: [never]}", "a", more=always), alerts(A(), A("B")))
scenario("time/active", config("{receiver: a, matchers: [alertname=A], active_time_intervals: [always]}", "a", more=always), alerts(A(), A("B")))
scenario("time/not-active", config("{receiver: a, matchers: [alertname=A], active_time_intervals: [never]}", "a", more=always), alerts(A(), A("B")))
scenario("time/not-inherited", config("{receiver: a, mute_time_intervals: [always], routes: [{receiver: b, matchers: [alertname=B]}]}", "a b", more=always), alerts(A(), A("B")))
scenario("time/old-words", config("{receiver: a, matchers: [alertname=A], mute_time_intervals: [old]}", "a", more="mute_time_intervals: [{name: old, time_intervals: [{}]}]\n"), alerts(A(), A("B")))

# --- Receivers that fail ------------------------------------------------------
scenario("fail/once", config(), (0, "answers", ("/root", [500])), fire(A()), lasts=14)
scenario("fail/refused", config(), (0, "answers", ("/root", [400])), fire(A()), fire(A(i="2"), 3), lasts=14)
scenario("fail/one-of-two", config(routes="{receiver: two}", more="  - {name: two, webhook_configs: [{url: 'URL/one'}, {url: 'URL/two'}]}\n"), (0, "answers", ("/one", [404])), fire(A()), fire(A(i="2"), 3), lasts=12)

# --- Reload -------------------------------------------------------------------
scenario("reload/same", config(), fire(A(), endsAt=100), (3, "reload", None), lasts=14)
scenario("reload/other-receiver", config(), fire(A(), endsAt=100), (3, "reload", config("{receiver: a}", "a")), lasts=14)
scenario("reload/broken", config(), fire(A(), endsAt=100), (3, "reload", "route: {receiver: nobody}\n"), fire(A(i="2"), 5), lasts=14)

# --- What a message says ------------------------------------------------------
odd = {"alertname": "<b>&\"'", "path": "C:\\x\ty", "utf": "ü€𝄞", "empty": ""}
scenario("text/odd", config(), fire(odd, annotations={"html": "<script>", "new": "line\nline", "\u2028": "sep"}, generatorURL="http://p/graph?g0.expr=a%3Eb&x=<y>"))
scenario("text/truncated", config(routes="{receiver: few}", more="  - {name: few, webhook_configs: [{url: 'URL/few', max_alerts: 2}]}\n"), alerts(*[A(i=str(i)) for i in range(5)]))
scenario("text/common", config(top=top("[job]")), alerts(A(job="x", i="1", same="s"), A(job="x", i="2", same="s"), annotations={"a": "1"}))
scenario("text/many", config(), alerts(*[A(i=f"{i:03}", z=str(i % 7)) for i in range(60)]))
scenario("text/url", config(more="  - {name: t, webhook_configs: [{url: 'URL/t/{{ .GroupLabels.alertname }}'}]}\n", routes="{receiver: t}"), fire(A("x y")))

# --- What is posted -----------------------------------------------------------
scenario("post/some-invalid", config(), (0, "alerts", [{"labels": A(), "startsAt": 0}, {"labels": {}}, {"labels": A("B"), "startsAt": 0}]))
scenario("post/twice", config(), (0, "alerts", [{"labels": A(), "startsAt": 0}, {"labels": A(), "startsAt": -8}]))
scenario("post/empty-label", config(top=top("['...']")), (0, "alerts", [{"labels": {**A(), "gone": ""}, "startsAt": 0}]))
scenario("post/end-before-start", config(), (0, "alerts", [{"labels": A(), "startsAt": 0, "endsAt": -10}, {"labels": A("B"), "startsAt": 0}]))
