"""The shipped dashboards, asked the way the web app asks: every query answers, and this host is to be seen."""

import re

import client
import stack
from support import until

# Every panel of these shows data on any Linux host; the others wait for applications to report.
ALWAYS_LIVE = {"System Overview", "Container Metrics"}


def test_every_panel_of_every_dashboard_answers():
    s = stack.shared()
    login = client.post(s.url("grafana", "/login"), json={"user": "admin", "password": "cloudos123"}).expect(200)
    session = {"Cookie": login.headers["set-cookie"].split(";")[0]}
    found = client.get(s.url("grafana", "/api/search?type=dash-db"), headers=session).expect(200).json()
    panels = 0
    for entry in found:
        url = s.url("grafana", f"/api/dashboards/uid/{entry['uid']}")
        dashboard = client.get(url, headers=session).expect(200).json()["dashboard"]
        for panel in dashboard["panels"]:
            queries = [target for target in panel.get("targets", []) if "expr" in target]
            if not queries:
                continue
            panels += 1
            where = f"{entry['title']}: {panel['title']}"
            live = entry["title"] in ALWAYS_LIVE
            ask = lambda q=queries, p=panel, w=where, l=live: answers(s, session, p, q, w) or not l
            until(ask, f"data in {where!r}", 15, every=0.5)
    assert panels >= 60, f"only {panels} panels with queries"


def answers(s, session, panel, targets, where):
    """Asks all queries of a panel; true if one of them returned rows."""
    queries = []
    for number, target in enumerate(targets):
        queries.append(
            {
                "refId": target.get("refId", f"Q{number}"),
                "datasource": target.get("datasource") or panel["datasource"],
                "expr": filled(target["expr"]),
                "instant": bool(target.get("instant")),
                "range": not target.get("instant"),
                "format": target.get("format", "time_series"),
                "intervalMs": 1000,
                "maxDataPoints": 300,
            }
        )
    body = {"from": "now-5m", "to": "now", "queries": queries}
    reply = client.post(s.url("grafana", "/api/ds/query"), json=body, headers=session).expect(200).json()
    rows = 0
    for query in queries:
        result = reply["results"][query["refId"]]
        assert result.get("status", 200) == 200 and "error" not in result, f"{where}: {query['expr']}: {result}"
        rows += sum(len(column) for frame in result.get("frames", []) for column in frame["data"]["values"])
    return rows > 0


def filled(expression):
    """Dashboard variables are the web app's to fill in; those that start with $__ are Grafana's."""
    return re.sub(r"\$(?!__|\d)\w+|\$\{(?!__)\w+\}", ".*", expression)
