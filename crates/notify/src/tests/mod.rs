//! Messages over loopback: what arrives is what a receiver would see.

mod kinds;
mod mail;
mod messages;
mod sink;

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{Alert, Notification, NotifiedAlert, Reason};
use model::Labels;
use platform::ManualClock;

use crate::Templates;

fn templates() -> Arc<Templates> {
    let clock = Arc::new(ManualClock::at_ms(1_700_000_000_000));
    Arc::new(Templates::new("http://am.example", &[], clock).unwrap())
}

fn notification() -> Notification {
    let alert = |instance: &str, resolved: bool| NotifiedAlert {
        alert: Arc::new(Alert {
            labels: Labels::from_pairs([("alertname", "Down"), ("instance", instance), ("severity", "page")]),
            annotations: [("summary".to_owned(), format!("{instance} is <down> & out"))].into(),
            starts_at: 1_700_000_000_123_456_789,
            ends_at: 1_700_000_300_000_000_000,
            updated_at: 0,
            generator_url: format!("http://prom/{instance}"),
            timeout: true,
            inherited: false,
        }),
        resolved,
    };
    Notification {
        receiver: "team x".into(),
        group_key: "{}:{alertname=\"Down\"}".into(),
        group_labels: Labels::from_pairs([("alertname", "Down")]),
        route_labels: BTreeMap::new(),
        alerts: vec![alert("a:1", false), alert("b:2", true)],
        reason: Reason::FirstNotification,
        now: 1_700_000_060_000_000_000,
    }
}

#[test]
fn templates_see_the_notification() {
    let templates = templates();
    let data = templates.data(&notification());
    let check = |text: &str, expected: &str| {
        assert_eq!(templates.text(text, &data).map_err(|e| e.message).as_deref(), Ok(expected), "{text}");
    };
    check(
        "{{ .Receiver }} {{ .Status }} {{ len .Alerts }} {{ .Alerts.Resolved | len }}",
        "team x firing 2 1",
    );
    check("{{ .CommonLabels.SortedPairs.Names | join \",\" }}", "alertname,severity");
    check(
        "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
        "alertname=Down;severity=page;",
    );
    check("{{ (index .Alerts 0).Labels.instance | toUpper }}", "A:1");
    check("{{ .CommonLabels.Values | join \"/\" }}", "Down/page");
    check("{{ (index .Alerts 0).StartsAt.Format \"15:04\" }}", "22:13");
    check("{{ (index .Alerts 0).StartsAt | tz \"Europe/Berlin\" | date \"15:04 MST\" }}", "23:13 CET");
    check(
        "{{ title \"hello wORLD\" }} {{ reReplaceAll \"o+\" \"0\" \"foo\" }} {{ match \"^a\" \"abc\" }}",
        "Hello World f0 true",
    );
    check(
        "{{ toJson .GroupLabels }} {{ (index .Alerts 1).EndsAt.IsZero }} {{ .NotificationReason }}",
        "{\"alertname\":\"Down\"} false first notification",
    );
    check("{{ .CommonLabels.nope }}|{{ since (index .Alerts 0).StartsAt | humanizeDuration }}", "|-123.5ms");
    check(
        "{{ stringSlice \"a\" \"b\" | join \"-\" }} {{ (dict \"k\" 1).k }} {{ base64encode \"hi\" }}",
        "a-b 1 aGk=",
    );
    let error = templates.text("{{ .Nope }}", &data).unwrap_err();
    assert_eq!(
        error.message,
        "template: :1:3: executing \"\" at <.Nope>: can't evaluate field Nope in type *template.Data"
    );
    let mut resolved = notification();
    resolved.alerts.remove(0);
    let data = templates.data(&resolved);
    assert_eq!(
        templates.text("{{ template \"slack.default.title\" . }}", &data).unwrap(),
        "[RESOLVED] Down (b:2 page)"
    );
}
