//! `push metrics`: sends metrics pages by remote write. For trying things out.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use expfmt::Family;
use expfmt::family::{LabelPairs, MetricValue};
use flags::{Flag, Flags};
use model::{Labels, METRIC_NAME, Metadata, TimestampMs, float};
use wire::remote::{Point, Row, snappy, v1, v2};

use crate::command::{Action, Command, Context, Failure, Usage, complain, say};
use crate::http::Server;

pub const COMMAND: Command = Command {
    name: "push",
    about: "Push to a Prometheus server",
    action: Action::Group(&[Command {
        name: "metrics",
        about: "Push metrics to a prometheus remote write (for testing purpose only)",
        action: Action::Run(&METRICS),
    }]),
};

const METRICS: Usage = Usage {
    arguments: "<remote-write-url> [<metric-files>...]",
    count: (1, usize::MAX),
    flags: &[
        Flag::value("http.config.file", "", "HTTP client configuration file to connect to Prometheus."),
        Flag::list(
            "label",
            "Label to attach to metrics. Can be specified multiple times. Default: job=promtool",
        ),
        Flag::value("timeout", "30s", "The time to wait for pushing metrics."),
        Flag::list("header", "Prometheus remote write header: name=value."),
        Flag::value(
            "protobuf_message",
            "prometheus.WriteRequest",
            "The message to send: prometheus.WriteRequest or io.prometheus.write.v2.Request.",
        ),
    ],
    help: "\
Pages are Prometheus text; without files standard input is read. Samples without a time are of now.

Example:
  curl -s http://localhost:9100/metrics | cloudos-monitor push metrics http://localhost:9090/api/v1/write
",
    run,
};

/// What every request says, whichever message it carries.
struct Push<'a> {
    server: Server,
    headers: Vec<(&'a str, &'a str)>,
    labels: BTreeMap<&'a str, &'a str>,
    patience: Duration,
    second_version: bool,
}

fn run(flags: &Flags, args: &[String], _: &Context) -> Result<(), Failure> {
    let Some((url, files)) = args.split_first() else { return Ok(()) };
    let pairs = |name: &'static str| {
        flags.all(name).iter().map(|text| {
            text.split_once('=')
                .ok_or_else(|| Failure::new(format!("error: expected KEY=VALUE got '{text}', try --help")))
        })
    };
    let second_version = match flags.get("protobuf_message") {
        "prometheus.WriteRequest" => false,
        "io.prometheus.write.v2.Request" => true,
        other => return Err(Failure::new(format!("error: unknown remote write protobuf message {other}"))),
    };
    let (kind, version) = match second_version {
        false => ("application/x-protobuf", "0.1.0"),
        true => ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
    };
    let mut headers = vec![
        ("content-encoding", "snappy"),
        ("content-type", kind),
        ("x-prometheus-remote-write-version", version),
    ];
    for pair in pairs("header") {
        headers.push(pair?);
    }
    let mut labels = pairs("label").collect::<Result<BTreeMap<_, _>, _>>()?;
    if labels.is_empty() {
        labels.insert("job", "promtool");
    }
    let patience = Duration::from_millis(flags.duration_ms("timeout")?.max(1).unsigned_abs());
    let server = Server::new(url, flags.get("http.config.file"))?;
    let push = Push { server, headers, labels, patience, second_version };
    if files.is_empty() {
        let mut page = Vec::new();
        std::io::stdin().read_to_end(&mut page)?;
        say("Parsing standard input\n")?;
        return match push.page(&page) {
            Ok(()) => say("  SUCCESS: metrics pushed to remote write.\n"),
            Err(e) => Err(failed(&e)),
        };
    }
    super::check::must_exist(files)?;
    let mut worst = Ok(());
    for file in files {
        let page = match std::fs::read(file) {
            Ok(page) => page,
            Err(e) => {
                worst = Err(failed(&format!("open {file}: {e}")));
                continue;
            }
        };
        say(&format!("Parsing metrics file {file}\n"))?;
        match push.page(&page) {
            Ok(()) => say(&format!("  SUCCESS: metrics file {file} pushed to remote write.\n"))?,
            Err(e) => worst = Err(failed(&e)),
        }
    }
    worst
}

fn failed(why: &str) -> Failure {
    complain(&format!("  FAILED: {why}"));
    Failure::new("")
}

impl Push<'_> {
    fn page(&self, page: &[u8]) -> Result<(), String> {
        let mut families = expfmt::read_families(page).map_err(|e| e.to_string())?;
        families.sort_by(|a, b| a.name.cmp(&b.name));
        let now = jiff::Timestamp::now().as_millisecond();
        let mut message = Vec::new();
        let (mut rows, mut metadata) = (Vec::new(), Vec::new());
        for family in &families {
            metadata.push((family.name.clone(), metadata_of(family)));
            let known = metadata.len() - 1;
            self.rows(family, now, &mut |labels, t, v| rows.push((labels, t, v, known)));
        }
        let rows = rows.iter().map(|(labels, t, v, known)| Row {
            labels,
            t: *t,
            start: 0,
            point: Point::Float(*v),
            metadata: metadata.get(*known).map(|(_, metadata)| metadata),
        });
        match self.second_version {
            true => v2::encode(rows, &mut message),
            false => {
                v1::encode(rows, &mut message);
                v1::encode_metadata(metadata.iter().map(|(name, m)| (name.as_str(), m)), &mut message);
            }
        }
        let body = snappy::compress(&message);
        let answer = self.server.post("", &self.headers, body, self.patience).map_err(|e| e.message)?;
        match answer.status / 100 {
            2 => Ok(()),
            _ => Err(format!(
                "server returned HTTP status {} {}: {}",
                answer.status, answer.reason, answer.body
            )),
        }
    }

    /// The samples of a family, in the original's order.
    fn rows(
        &self,
        family: &Family<LabelPairs>,
        now: TimestampMs,
        out: &mut impl FnMut(Labels, TimestampMs, f64),
    ) {
        for metric in &family.metrics {
            let t = metric.timestamp.filter(|t| *t != 0).unwrap_or(now);
            let mut emit = |suffix: &str, extra: Option<(&str, f64)>, v: f64| {
                let mut labels = Labels::empty().to_builder();
                for (name, value) in &self.labels {
                    labels.set(*name, *value);
                }
                for (name, value) in &metric.labels {
                    // A page's own job does not replace the pusher's.
                    let name = if name == "job" { "exported_job" } else { name };
                    labels.set(name, value.as_str());
                }
                labels.set(METRIC_NAME, format!("{}{suffix}", family.name));
                if let Some((name, bound)) = extra {
                    labels.set(name, float::format_g(bound));
                }
                out(labels.build(), t, v);
            };
            match &metric.value {
                MetricValue::Number(v) => emit("", None, *v),
                MetricValue::Summary { quantiles, sum, count } => {
                    quantiles.iter().for_each(|q| emit("", Some(("quantile", q.quantile)), q.value));
                    emit("_sum", None, *sum);
                    emit("_count", None, *count);
                }
                MetricValue::Histogram { buckets, sum, count } => {
                    for bucket in buckets {
                        emit("_bucket", Some(("le", bucket.upper_bound)), bucket.cumulative_count);
                    }
                    emit("_sum", None, *sum);
                    emit("_count", None, *count);
                }
            }
        }
    }
}

fn metadata_of(family: &Family<LabelPairs>) -> Metadata {
    Metadata { kind: family.kind, help: family.help.clone(), ..Metadata::default() }
}
