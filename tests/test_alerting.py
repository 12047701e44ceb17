"""From a sample over a threshold to the three places where people are told, and the end of it."""

import re

import api
import client
from receivers import HttpSink, MailSink
from stack import Stack, replace_in
from support import time_limit, until

ALERT = "CriticalMemoryUsage"


@time_limit(90)
def test_firing_and_resolved_reach_mail_slack_and_webhook():
    """The shipped rule with a lowered threshold, through the shipped routes with short timers."""
    with MailSink() as mail, HttpSink() as web:

        def edit(config):
            replace_in(config / "prometheus/alerts/cloudos_alerts.yml", {"> 95": "> 0", "for: 2m": "for: 1s"})
            path = config / "alertmanager/alertmanager.yml"
            text = path.read_text()
            text = re.sub(r"group_wait: \w+", "group_wait: 1s", text)
            text = re.sub(r"group_interval: \w+", "group_interval: 1s", text)
            path.write_text(text)
            replace_in(path, {
                "localhost:25": mail.address,
                "  - name: critical\n": "  - name: critical\n    webhook_configs:\n"
                f"      - url: {web.url}/hook\n        send_resolved: true\n",
            })
            # One line in a file, as secrets/README.md says.
            (config / "alertmanager/secrets/slack_api_url").write_text(f"{web.url}/slack\n")

        with Stack(edit=edit) as s:
            critical = lambda: [h for h in web.at("/hook") if h["receiver"] == "critical"]
            hooks = lambda status: [h for h in critical() if h["status"] == status]
            slack = lambda word: [p for p in web.at("/slack") if word in api.json.dumps(p) and ALERT in api.json.dumps(p)]
            mails = lambda word: [m for to, m in mail.mails if word in m["Subject"] and ALERT in m["Subject"]]

            until(lambda: hooks("firing"), "the webhook to hear of it", 30)
            until(lambda: slack("FIRING"), "Slack to hear of it", 10)
            until(lambda: mails("FIRING"), "the mail to arrive", 10)

            hook = hooks("firing")[0]
            assert hook["version"] == "4" and hook["truncatedAlerts"] == 0, hook
            assert hook["groupLabels"]["alertname"] == ALERT, hook
            alert = hook["alerts"][0]
            assert alert["labels"]["severity"] == "critical", alert
            assert "Memory almost exhausted on" in alert["annotations"]["summary"], alert
            assert re.fullmatch(r"[0-9a-f]{16}", alert["fingerprint"]), alert
            assert alert["endsAt"] == "0001-01-01T00:00:00Z", alert
            assert slack("FIRING")[0]["channel"] == "#cloudos-critical", slack("FIRING")[0]
            parts = [part.get_content_type() for part in mails("FIRING")[0].walk()]
            assert "text/html" in parts, parts
            assert mail.mails[0][0] == ["root@localhost"], mail.mails[0][0]

            firing = client.get(s.url("prometheus", "/api/v1/alerts")).expect(200).json()["data"]["alerts"]
            assert [a["state"] for a in firing if a["labels"]["alertname"] == ALERT] == ["firing"], firing
            known = client.get(s.url("alertmanager", "/api/v2/alerts"), params={"filter": f"alertname={ALERT}"})
            assert known.expect(200).json()[0]["status"]["state"] == "active", known.text

            # Back to a threshold that no host reaches.
            replace_in(s.config / "prometheus/alerts/cloudos_alerts.yml", {"> 0\n": "> 101\n"})
            client.post(s.url("prometheus", "/-/reload")).expect(200)

            until(lambda: hooks("resolved"), "the webhook to hear of the end", 30)
            until(lambda: slack("RESOLVED"), "Slack to hear of the end", 10)
            until(lambda: mails("RESOLVED"), "the mail about the end", 10)
            ended = hooks("resolved")[0]["alerts"][0]
            assert ended["endsAt"] > ended["startsAt"] and ended["fingerprint"] == alert["fingerprint"], ended


@time_limit(60)
def test_silences_keep_alerts_quiet():
    """API v2: an alert, a silence over it, and what a receiver gets to see."""
    with HttpSink() as web:

        def edit(config):
            (config / "alertmanager/alertmanager.yml").write_text(
                "route: {receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 1s}\n"
                f"receivers: [{{name: hook, webhook_configs: [{{url: '{web.url}/hook'}}]}}]\n"
            )

        with Stack(edit=edit) as s:
            base = s.url("alertmanager")
            silence = {
                "matchers": [{"name": "alertname", "value": "Quiet.*", "isRegex": True, "isEqual": True}],
                "startsAt": "2020-01-01T00:00:00Z",
                "endsAt": "2099-01-01T00:00:00Z",
                "createdBy": "me",
                "comment": "maintenance",
            }
            silence_id = client.post(base + "/api/v2/silences", json=silence).expect(200).json()["silenceID"]
            alerts = [{"labels": {"alertname": name, "host": "a"}} for name in ["QuietOne", "Loud"]]
            client.post(base + "/api/v2/alerts", json=alerts).expect(200)
            names = lambda: {h["groupLabels"]["alertname"] for h in web.at("/hook")}
            until(lambda: "Loud" in names(), "the loud alert to arrive")
            found = client.get(base + "/api/v2/alerts").expect(200).json()
            quiet = next(a for a in found if a["labels"]["alertname"] == "QuietOne")
            assert quiet["status"]["state"] == "suppressed" and quiet["status"]["silencedBy"] == [silence_id], quiet

            # Silences outlive the process; so does the fact that they are in force.
            s.restart()
            assert client.get(f"{base}/api/v2/silence/{silence_id}").expect(200).json()["comment"] == "maintenance"
            client.post(base + "/api/v2/alerts", json=alerts).expect(200)
            client.request("DELETE", f"{base}/api/v2/silence/{silence_id}").expect(200)
            until(lambda: "QuietOne" in names(), "the alert to arrive once its silence has ended")
