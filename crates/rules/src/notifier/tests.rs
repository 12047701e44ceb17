//! Notifications against real sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use discovery::{Sources, StaticConfig};
use expfmt::{MetricValue, Registry};
use model::{Labels, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{AlertmanagerConfig, Notifier, NotifierOptions, NotifierSettings};
use crate::RuleMetrics;
use crate::alert::ActiveAlert;

/// An Alertmanager that answers every request with `status` and hands on what it got.
struct Receiver {
    address: String,
    bodies: UnboundedReceiver<serde_json::Value>,
}

impl Receiver {
    async fn start(status: &'static str) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, bodies) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let (mut text, mut buffer) = (Vec::new(), [0u8; 65536]);
                    loop {
                        let n = stream.read(&mut buffer).await.unwrap_or(0);
                        if n == 0 {
                            return;
                        }
                        text.extend_from_slice(&buffer[..n]);
                        let Some(head) = text.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
                        let headers = String::from_utf8_lossy(&text[..head]).to_lowercase();
                        let length =
                            headers.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap();
                        let length: usize = length.trim().parse().unwrap();
                        if text.len() < head + 4 + length {
                            continue;
                        }
                        let body = serde_json::from_slice(&text[head + 4..]).unwrap();
                        text.clear();
                        sender.send(body).unwrap();
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Receiver { address, bodies }
    }

    async fn next(&mut self) -> serde_json::Value {
        tokio::time::timeout(Duration::from_secs(20), self.bodies.recv()).await.expect("nobody sent").unwrap()
    }
}

fn entry(addresses: &[&str]) -> AlertmanagerConfig {
    let targets = addresses.iter().map(|a| (*a).to_owned()).collect();
    let mut sources = Sources::default();
    sources.static_configs.push(StaticConfig { targets, ..StaticConfig::default() });
    AlertmanagerConfig { sources, ..AlertmanagerConfig::default() }
}

fn alert(name: &str) -> ActiveAlert {
    let labels = Labels::from_pairs([("alertname", name), ("keep", "own")]);
    let annotations = BTreeMap::from([("s".to_owned(), "t".to_owned())]);
    let mut alert = ActiveAlert::pending(labels, annotations, Value::Float(1.0), 1_000);
    alert.fired_at = Some(2_000);
    alert.valid_until = 242_123;
    alert
}

fn alerts(count: usize) -> Vec<ActiveAlert> {
    (0..count).map(|i| alert(&format!("a{i}"))).collect()
}

struct Fixture {
    registry: Registry,
    notifier: Arc<Notifier>,
}

impl Fixture {
    fn new(options: NotifierOptions) -> Fixture {
        let registry = Registry::new();
        let notifier = Notifier::new(options, RuleMetrics::new(&registry));
        Fixture { registry, notifier }
    }

    fn apply(&self, alertmanagers: Vec<AlertmanagerConfig>) {
        let external_labels =
            BTreeMap::from([("dc".to_owned(), "eu".to_owned()), ("keep".to_owned(), "outside".to_owned())]);
        let settings = NotifierSettings {
            alertmanagers,
            external_labels,
            external_url: "http://p".into(),
            ..NotifierSettings::default()
        };
        self.notifier.apply(settings).unwrap();
    }

    fn metric(&self, name: &str, url: &str) -> Option<f64> {
        let families = self.registry.gather();
        let family = families.iter().find(|f| f.name == format!("prometheus_notifications_{name}"))?;
        let metric = family.metrics.iter().find(|m| m.labels.get("alertmanager") == url)?;
        match metric.value {
            MetricValue::Number(v) => Some(v),
            MetricValue::Summary { count, .. } => Some(count),
            _ => None,
        }
    }

    async fn until(&self, name: &str, url: &str, value: f64) {
        for _ in 0..2000 {
            if self.metric(name, url) == Some(value) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name} of {url} is {:?}, not {value}", self.metric(name, url));
    }
}

#[tokio::test]
async fn an_alert_reaches_every_alertmanager() {
    let (mut a, mut b) = (Receiver::start("200 OK").await, Receiver::start("200 OK").await);
    let f = Fixture::new(NotifierOptions::default());
    f.apply(vec![entry(&[&a.address, &b.address, &a.address])]);
    let url = format!("http://{}/api/v2/alerts", a.address);
    assert_eq!(f.notifier.active_alertmanagers().len(), 2);
    assert_eq!(f.metric("alertmanagers_discovered", ""), Some(2.0));
    f.notifier.send(vec![alert("A")], "up == 0");
    let expected = serde_json::json!([{
        "annotations": { "s": "t" },
        "endsAt": "1970-01-01T00:04:02.123Z",
        "startsAt": "1970-01-01T00:00:02.000Z",
        "generatorURL": "http://p/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        "labels": { "alertname": "A", "dc": "eu", "keep": "own" },
    }]);
    assert_eq!(a.next().await, expected);
    assert_eq!(b.next().await, expected);
    f.until("sent_total", &url, 1.0).await;
    assert_eq!(f.metric("latency_seconds", &url), Some(1.0));
    assert_eq!((f.metric("errors_total", &url), f.metric("dropped_total", &url)), (Some(0.0), Some(0.0)));
}

#[tokio::test]
async fn a_refusal_is_counted_and_keeps_nobody_else_waiting() {
    let (mut good, mut bad) = (Receiver::start("200 OK").await, Receiver::start("500 No").await);
    let f = Fixture::new(NotifierOptions { batch_max: 2, ..NotifierOptions::default() });
    f.apply(vec![entry(&[&good.address]), entry(&[&bad.address])]);
    f.notifier.send(alerts(5), "x");
    let mut sizes = Vec::new();
    for _ in 0..3 {
        sizes.push(good.next().await.as_array().unwrap().len());
        bad.next().await;
    }
    assert_eq!(sizes, [2, 2, 1], "batches");
    let bad = format!("http://{}/api/v2/alerts", bad.address);
    f.until("errors_total", &bad, 5.0).await;
    assert_eq!((f.metric("dropped_total", &bad), f.metric("sent_total", &bad)), (Some(5.0), Some(0.0)));
}

#[tokio::test]
async fn a_full_queue_drops_the_oldest() {
    // Nobody listens: the queue stands still only as long as the loop does not get its turn.
    let f = Fixture::new(NotifierOptions { queue_capacity: 3, ..NotifierOptions::default() });
    let mut receiver = Receiver::start("200 OK").await;
    f.apply(vec![entry(&[&receiver.address])]);
    f.notifier.send(alerts(5), "x");
    let names: Vec<String> = (receiver.next().await.as_array().unwrap().iter())
        .map(|a| a["labels"]["alertname"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a2", "a3", "a4"]);
    f.until("dropped_total", &format!("http://{}/api/v2/alerts", receiver.address), 2.0).await;
}

#[tokio::test]
async fn entries_rewrite_alerts_and_addresses() {
    let mut receiver = Receiver::start("200 OK").await;
    let text = format!(
        "path_prefix: am\nstatic_configs: [{{targets: ['{}', 'gone:1'], labels: {{__meta_a: b}}}}]\n\
         relabel_configs: [{{source_labels: [__address__], regex: 'gone.*', action: drop}}]\n\
         alert_relabel_configs: [{{regex: dc, action: labeldrop}}, \
         {{source_labels: [alertname], regex: quiet, action: drop}}]\n",
        receiver.address
    );
    let f = Fixture::new(NotifierOptions::default());
    f.apply(vec![config::parse_unchecked("p.yml", &text).unwrap()]);
    assert_eq!(f.notifier.active_alertmanagers(), [format!("http://{}/am/api/v2/alerts", receiver.address)]);
    assert_eq!(f.notifier.dropped_alertmanagers(), ["http://gone:1/am/api/v2/alerts"]);
    f.notifier.send(vec![alert("quiet")], "x");
    f.notifier.send(vec![alert("quiet"), alert("loud")], "x");
    let body = receiver.next().await;
    assert_eq!(body.as_array().unwrap().len(), 1);
    assert_eq!(body[0]["labels"], serde_json::json!({ "alertname": "loud", "keep": "own" }));
}

#[tokio::test]
async fn a_reload_keeps_those_that_stay() {
    let (mut a, mut b) = (Receiver::start("200 OK").await, Receiver::start("200 OK").await);
    let url = |r: &Receiver| format!("http://{}/api/v2/alerts", r.address);
    let f = Fixture::new(NotifierOptions::default());
    f.apply(vec![entry(&[&a.address])]);
    f.notifier.send(vec![alert("A")], "x");
    a.next().await;
    f.until("sent_total", &url(&a), 1.0).await;
    f.apply(vec![entry(&[&b.address]), entry(&[&a.address])]);
    f.notifier.send(vec![alert("B")], "x");
    a.next().await;
    b.next().await;
    f.until("sent_total", &url(&a), 2.0).await;
    f.apply(vec![entry(&[&b.address])]);
    assert_eq!(f.metric("alertmanagers_discovered", ""), Some(1.0));
    for _ in 0..2000 {
        if f.metric("sent_total", &url(&a)).is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("metrics of an Alertmanager that is gone stay");
}

#[tokio::test]
async fn what_is_queued_goes_before_the_end() {
    for drain_on_shutdown in [true, false] {
        let mut receiver = Receiver::start("200 OK").await;
        let f =
            Fixture::new(NotifierOptions { drain_on_shutdown, batch_max: 1, ..NotifierOptions::default() });
        f.apply(vec![entry(&[&receiver.address])]);
        f.notifier.send(alerts(4), "x");
        f.notifier.shutdown().await;
        let mut got = 0;
        while receiver.bodies.try_recv().is_ok() {
            got += 1;
        }
        match drain_on_shutdown {
            true => assert_eq!(got, 4),
            false => assert!(got < 4, "{got}"),
        }
        f.notifier.send(alerts(1), "x");
        assert!(f.notifier.active_alertmanagers().is_empty());
    }
}
