"""All eighteen receivers beside the original's: the same alerts through the same configuration, the same requests.

What cannot be equal is taken out first: times of sending, ids, the recorder's port and the user agent.
"""

import collections
import contextlib
import json
import re
import shutil
import time

import client
from process import Process, binary, free_port
from recorder import Mailbox, Recorder
from support import PEERS, SkipTest, scratch, time_limit, until

CONFIG = """
global:
  resolve_timeout: 1h
  smtp_smarthost: 'MAIL'
  smtp_from: 'am@example.org'
  smtp_hello: 'hello.example'
  smtp_require_tls: false
  smtp_auth_username: mona
  smtp_auth_password: s3cret
  smtp_auth_secret: s3cret
  pagerduty_url: 'URL/pagerduty/enqueue'
  opsgenie_api_url: 'URL/opsgenie/'
  opsgenie_api_key: lamp
  victorops_api_url: 'URL/victorops/'
  victorops_api_key: victor
  telegram_api_url: 'URL/telegram'
  telegram_bot_token: 'bot:token'
  webex_api_url: 'URL/webex/messages'
  wechat_api_url: 'URL/wechat/'
  wechat_api_secret: 'se cret'
  wechat_api_corp_id: corp
  jira_api_url: 'URL/jira/rest/api/2'
  rocketchat_api_url: 'URL/rocketchat/'
  rocketchat_token: rtoken
  rocketchat_token_id: rid
  mattermost_webhook_url: 'URL/mattermost/hook'
route:
  receiver: nowhere
  group_by: [alertname]
  group_wait: 100ms
  # Long enough for all that is posted at once to be told at once.
  group_interval: 2s
  repeat_interval: 1h
  routes: [ROUTES]
receivers:
  - name: nowhere
"""

# Name of a receiver, and its one integration. PROXY is an http_config that leads to the recorder.
RECEIVERS = {
    "webhook": "webhook_configs: [{url: 'URL/webhook'}]",
    "webhook-full": """webhook_configs:
      - url: 'URL/webhook-full/{{ .GroupLabels.alertname }}?q={{ .Status | urlquery }}'
        max_alerts: 1
        http_config: {basic_auth: {username: u, password: p}, http_headers: {X-Team: {values: [a]}}}
        payload:
          text: 'status {{ .Status }}'
          count: '{{ .Alerts | len }}'
          empty: ''
          is_firing: '{{ eq .Status "firing" }}'
          '{{ .Status }}-key': [1, 1.5, 1e30, true, null, 'x: 1', '[1, a, {b: "{{ .Receiver }}"}]']
          alerts: '{{ .Alerts | toJson }}'""",
    "slack": "slack_configs: [{api_url: 'URL/slack', channel: '#ops', send_resolved: true}]",
    "slack-full": """slack_configs:
      - api_url: 'URL/slack-full'
        channel: '#{{ .GroupLabels.alertname }}'
        send_resolved: true
        title: '{{ range .Alerts }}{{ .Labels.instance }}{{ end }}'
        message_text: 'm {{ .Status }}'
        icon_url: http://icon
        image_url: http://image
        thumb_url: http://thumb
        link_names: true
        short_fields: true
        mrkdwn_in: [text]
        fields: [{title: a, value: '{{ .Status }}'}, {title: b, value: c, short: false}]
        actions:
          - {type: button, text: go, url: 'http://x/{{ .Status }}', name: dropped, style: primary}
          - {type: button, text: do, name: n, value: v, confirm: {text: sure, title: t, ok_text: yes, dismiss_text: no}}""",
    "slack-app": "slack_configs: [{app_token: xoxb, app_url: 'URL/slack-app', channel: c, send_resolved: true}]",
    "slack-update": """slack_configs:
      - api_url: https://slack.com/api/chat.postMessage
        update_message: true
        channel: c
        send_resolved: true
        http_config: {PROXY, authorization: {credentials: xoxb}}""",
    "pagerduty": "pagerduty_configs: [{routing_key: 'route-{{ .GroupLabels.alertname }}'}]",
    "pagerduty-full": """pagerduty_configs:
      - routing_key: k
        severity: '{{ .CommonLabels.severity }}'
        class: c
        component: co
        group: g
        source: s
        client: cl
        client_url: http://client
        description: d
        details: {firing: '{{ .Alerts.Firing | len }}', nested: {a: ['{{ .Status }}', '1'], b: '{c: d}'}}
        images: [{src: 'http://i', alt: a, href: h}, {alt: dropped}]
        links: [{href: 'http://l', text: t}, {text: dropped}]""",
    "pagerduty-v1": "pagerduty_configs: [{service_key: sk, http_config: {PROXY}}]",
    "opsgenie": "opsgenie_configs: [{}]",
    "opsgenie-full": """opsgenie_configs:
      - update_alerts: true
        responders: [{name: 'a,b,,c', type: teams}, {username: u, type: USER}, {id: '{{ .NotThere }}', type: ''}, {name: x, type: '{{ "team" }}'}]
        tags: ' a,b,,{{ .Status }} '
        actions: 'x,y'
        note: n
        priority: P1
        entity: e
        details: {extra: '{{ .Receiver }}', severity: overridden}""".replace(", {id: '{{ .NotThere }}', type: ''}", ""),
    "victorops": "victorops_configs: [{routing_key: 'team {{ .Status }}'}]",
    "victorops-full": "victorops_configs: [{routing_key: r, message_type: WARNING, custom_fields: {zone: '{{ .Status }}'}}]",
    "pushover": "pushover_configs: [{user_key: uk, token: tk, http_config: {PROXY}}]",
    "pushover-full": """pushover_configs:
      - {user_key: uk, token: tk, html: true, message: '<b>{{ .CommonAnnotations.summary }}</b>', url_title: ut, device: d,
         sound: s, retry: 90s, expire: 2h, ttl: 1m, http_config: {PROXY}}""",
    "telegram": "telegram_configs: [{chat_id: -5}]",
    "telegram-full": """telegram_configs:
      - {chat_id: 7, message_thread_id: 3, parse_mode: MarkdownV2, disable_notifications: true, message: '{{ .Status }} <&>'}""",
    "telegram-plain": "telegram_configs: [{chat_id: 7, parse_mode: ''}]",
    "discord": "discord_configs: [{webhook_url: 'URL/discord'}]",
    "discord-full": """discord_configs:
      - {webhook_url: 'URL/discord-full', content: 'c {{ .Status }}', username: u, avatar_url: 'http://a'}""",
    "msteams": "msteams_configs: [{webhook_url: 'URL/msteams'}]",
    "msteamsv2": "msteamsv2_configs: [{webhook_url: 'URL/msteamsv2'}]",
    "webex": "webex_configs: [{room_id: 'r {{ .Status }}', http_config: {authorization: {credentials: wt}}}]",
    "sns": """sns_configs:
      - api_url: 'URL/sns'
        sigv4: {region: eu-west-1, access_key: AK, secret_key: SK}
        topic_arn: 'arn:aws:sns:eu-west-1:1:t'
        attributes: {b: '{{ .Status }}', a: x}""",
    "sns-fifo": """sns_configs:
      - {api_url: 'URL/sns-fifo', sigv4: {region: us-east-2, access_key: AK, secret_key: SK}, topic_arn: 'arn:t.fifo', subject: ''}""",
    "sns-phone": """sns_configs:
      - {api_url: 'URL/sns-phone', sigv4: {region: us-east-2, access_key: AK, secret_key: SK}, phone_number: '+49',
         message: '{{ range .Alerts }}{{ .Annotations.long }}{{ end }}'}""",
    "wechat": "wechat_configs: [{send_resolved: true, to_user: '{{ .Status }}', agent_id: '1'}]",
    "wechat-markdown": "wechat_configs: [{send_resolved: true, message_type: markdown, message: '**{{ .Status }}**'}]",
    "jira": """jira_configs:
      - {project: 'OPS-NEW', issue_type: Bug, labels: [z, '{{ .Status }}']}""",
    "jira-open": """jira_configs:
      - project: 'OPEN'
        issue_type: Bug
        summary: {template: 's {{ .Status }}', enable_update: false}
        description: ''
        priority: ''
        resolve_transition: Done
        reopen_transition: Reopen
        reopen_duration: 30m
        wont_fix_resolution: "won't"
        fields: {customfield_1: '{{ .Status }}', customfield_2: {value: '5'}, customfield_3: [{name: a}]}""",
    "jira-done": """jira_configs:
      - project: DONE
        issue_type: '{{ "Task" }}'
        api_url: 'URL/jira/rest/api/3'
        api_type: cloud
        description: '{"type": "doc", "version": 1,   "content": [{"text": {{ .Status | toJson }}}]}'
        reopen_transition: Reopen""",
    "rocketchat": "rocketchat_configs: [{send_resolved: true, channel: '#c'}]",
    "rocketchat-full": """rocketchat_configs:
      - send_resolved: true
        emoji: ':x:'
        short_fields: true
        fields: [{title: a, value: '{{ .Status }}'}, {title: b, value: c, short: false}]
        actions: [{type: button, text: t, url: u, msg: m}]""",
    "mattermost": "mattermost_configs: [{}]",
    "mattermost-full": """mattermost_configs:
      - webhook_url: 'URL/mattermost-full'
        channel: c
        pretext: p
        author_name: an
        author_link: al
        author_icon: ai
        fields: [{title: a, value: '{{ .Status }}', short: true}, {title: b, value: c}]
        thumb_url: t
        footer: f
        footer_icon: fi
        image_url: i
        icon_url: iu
        icon_emoji: ie
        type: custom
        props: {card: 'card {{ .Status }}'}
        priority: {priority: URGENT, requested_ack: true, persistent_notifications: true}""",
    "mattermost-attachments": """mattermost_configs:
      - webhook_url: 'URL/mattermost-attachments'
        text: 'above {{ .Status }}'
        attachments: [{text: one, fields: [{title: a, value: b}]}, {text: two, color: red}]
        priority: {priority: odd, requested_ack: true, persistent_notifications: true}""",
    "incidentio": "incidentio_configs: [{url: 'URL/incidentio', alert_source_token: at, max_alerts: 2}]",
    "email": "email_configs: [{to: 'Ops <ops@example.org>, b@example.org', send_resolved: true}]",
    "email-full": """email_configs:
      - to: ops@example.org
        send_resolved: true
        text: "{{ .Status }} = ünï\\n.dot\\n{{ range .Alerts }}{{ .Annotations.long }}{{ end }}"
        html: ''
        headers: {subject: 'grüße {{ .Status }}', x-one: "a\\nb", reply-to: c@example.org}
        threading: {enabled: true, thread_by_date: none}""",
}

LONG = "long text ä " * 700

ALERTS = [
    {"labels": {"alertname": "Down", "instance": "a:1", "severity": "critical"},
     "annotations": {"summary": 'a <b> & "c"', "description": "first\nsecond", "runbook": "http://r/?a=b&c=d"},
     "generatorURL": "http://prom/g?x=1&y=2"},
    {"labels": {"alertname": "Down", "instance": "b:2", "severity": "critical"}, "annotations": {"summary": "ünï ☃ 😀"}},
    {"labels": {"alertname": "Down", "instance": "c:3", "severity": "critical", "job": "x"}},
    {"labels": {"alertname": "Lang", "instance": "d:4"}, "annotations": {"long": LONG, "summary": LONG}},
]


def configuration(recorder, mail):
    routes, receivers = [], []
    for name, text in RECEIVERS.items():
        routes.append(f"{{receiver: {name}, continue: true}}")
        receivers.append(f"  - name: {name}\n    {text}\n")
    url = f"http://127.0.0.1:{recorder.port}"
    proxy = f"proxy_url: '{url}', tls_config: {{insecure_skip_verify: true}}, enable_http2: false"
    text = CONFIG.replace("ROUTES", ", ".join(routes)) + "".join(receivers)
    return text.replace("PROXY", proxy).replace("URL", url).replace("MAIL", mail.address)


class Side:
    """One Alertmanager, ours or the original's, and all it says."""

    def __init__(self, command, directory):
        directory.mkdir()
        self.recorder, self.mail = Recorder(directory), Mailbox()
        (directory / "am.yml").write_text(configuration(self.recorder, self.mail))
        port = free_port()
        self.process = Process(
            [*command, f"--config.file={directory / 'am.yml'}", f"--storage.path={directory / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
             "--web.external-url=http://am.example/x"],
            directory / "log",
        ).start()
        self.api = f"http://127.0.0.1:{port}/x/api/v2"

    def at(self, path):
        return [request for request in list(self.recorder.requests) if request.path == path]

    def count(self):
        return len(self.texts())

    def texts(self):
        requests = [shown(request, self) for request in list(self.recorder.requests)]
        # Two groups may ask for WeChat's token at once, or one after the other.
        tokens = {text for text in requests if "/gettoken?" in text}
        requests = [text for text in requests if text not in tokens] + list(tokens)
        return requests + [mail_shown(*session) for session in list(self.mail.sessions)]

    def close(self):
        self.process.close()
        self.recorder.close()
        self.mail.close()


def post_alerts(side, alerts, ended):
    """Start times are fixed, so that both tell the same."""
    sent = [
        {**alert, "startsAt": "2026-01-02T03:04:05.678Z", "endsAt": f"{2026 if over else 2126}-01-03T00:00:00Z"}
        for alert, over in zip(alerts, ended)
    ]
    client.request("POST", side.api + "/alerts", json=sent).expect()


# Alerts, which of them are over, and how many messages a receiver of everything has had by then.
ROUNDS = [
    ([ALERTS[0], ALERTS[3]], [False, False], 2),
    (ALERTS, [False, False, False, False], 3),
    (ALERTS, [False, True, False, False], 4),
    ([ALERTS[0], *ALERTS[2:]], [True, True, True], 6),
]


def play(sides):
    """One alert fires, its group grows, one is resolved, all are."""
    for alerts, ended, messages in ROUNDS:
        for side in sides:
            post_alerts(side, alerts, ended)
        for side in sides:
            until(lambda: len(side.at("/webhook")) == messages, f"{messages} messages")
        # When one side says more than the other, this is not where it is told.
        with contextlib.suppress(AssertionError):
            until(lambda: sides[0].count() == sides[1].count(), "both to have said as much", seconds=20)


HEADERS = ["authorization", "content-type", "content-length", "x-team", "accept-language", "x-auth-token", "x-user-id"]


def shown(request, side):
    """A request as text, without what cannot be equal."""
    headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
    body = request.body.replace(f":{side.recorder.port}", ":PORT")
    # The release after the one beside us tells labels of routes.
    body = body.replace('"routeLabels":{},', "")
    if body:
        # Its length is compared with it.
        del headers["content-length"]
    if headers.get("authorization", "").startswith("AWS4"):
        scope = re.search(r"Credential=([^/]*)/\d{8}/([^,]*)", headers["authorization"])
        headers["authorization"] = f"AWS4 {scope[1]} {scope[2]}"
    return f"{request.method} {request.host}{request.path}\n{json.dumps(headers, sort_keys=True)}\n{body}"


def mail_shown(commands, message):
    """A mail with its headers sorted: the original writes them in no order."""
    boundary = re.search(r"boundary=(\S+)", message)[1]
    message = message.replace(boundary, "BOUNDARY")
    message = re.sub(r"(?m)^(Date|Message-Id): .*$", r"\1", message)
    head, _, body = message.partition("\r\n\r\n")
    return "\n".join([*commands, *sorted(head.split("\r\n")), "", *body.split("\r\n")])


def recipient(text):
    """To what a request belongs, for people who look for a difference."""
    return text.partition("\n")[0][:150]


@time_limit(120)
def test_same_requests_as_the_original():
    peer = PEERS / "prometheus-alertmanager"
    if not peer.is_file():
        raise SkipTest("the original's alertmanager is not there (shared tools bring it)")
    if not shutil.which("openssl"):
        raise SkipTest("openssl is not there to make a certificate")
    with scratch() as directory:
        ours = Side([binary(), "alertmanager"], directory / "ours")
        theirs = Side([peer], directory / "theirs")
        try:
            for side in (ours, theirs):
                until(lambda: client.request("GET", side.api + "/status").expect(), "the API")
            keeps_secrets(ours)
            play([ours, theirs])
            compare(ours, theirs)
        finally:
            ours.close()
            theirs.close()


def keeps_secrets(side):
    """The configuration is shown without them."""
    text = client.request("GET", side.api + "/status").expect().text
    shown = [secret for secret in SECRETS if secret in text]
    assert not shown, f"the API shows {shown}"
    assert "<secret>" in text


SECRETS = ["s3cret", "lamp", "bot:token", "se cret", "rtoken", "xoxb", "route-{{", ": uk", ": tk", ": SK", "password: p", ": at"]


def compare(ours, theirs):
    """Same requests, as often."""
    count = collections.Counter(ours.texts())
    count.subtract(collections.Counter(theirs.texts()))
    differences = [(text, n) for text, n in count.items() if n]
    lines = []
    for text, n in sorted(differences, key=lambda pair: (recipient(pair[0]), pair[1])):
        lines.append(f"--- only {'ours' if n > 0 else 'theirs'}: {text[:1500]}")
    assert not differences, f"{len(differences)} of {len(count)} requests differ:\n" + "\n".join(lines)
