//! Lines in, entries out: one row a behaviour.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Context, Pipeline};
use crate::Config;
use crate::entry::Entry;
use crate::metrics::Metrics;

const SECOND: i64 = 1_000_000_000;

struct Run {
    pipeline: Pipeline,
    metrics: Metrics,
    now: Instant,
    count: u64,
}

impl Run {
    fn new(stages: &str) -> Run {
        let text = format!("scrape_configs:\n- job_name: x\n  pipeline_stages:\n{stages}\n");
        let config = Config::parse("f", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let metrics = Metrics::new(&expfmt::Registry::new());
        let pipeline = Pipeline::compile(&config.scrape_configs[0].pipeline_stages, &metrics.custom).unwrap();
        Run { pipeline, metrics, now: Instant::now(), count: 0 }
    }

    fn line(&mut self, line: &str) -> Vec<Entry> {
        let labels = BTreeMap::from([("job".to_string(), "x".to_string())]);
        let entry = Entry::new(SECOND, line.into(), &labels, self.count);
        self.count += 1;
        let mut out = Vec::new();
        self.pipeline.process(entry, &Context { now: self.now, metrics: &self.metrics }, &mut out);
        out
    }

    fn release(&mut self, all: bool) -> Vec<Entry> {
        let mut out = Vec::new();
        self.pipeline.release(all, &Context { now: self.now, metrics: &self.metrics }, &mut out);
        out
    }
}

/// `seconds.nanoseconds line {labels} {metadata} @tenant`; the job label is left out.
fn show(entries: Vec<Entry>) -> String {
    let pairs = |pairs: &BTreeMap<String, String>| {
        let shown = pairs.iter().filter(|(name, _)| *name != "job").map(|(n, v)| format!("{n}={v}"));
        shown.collect::<Vec<_>>().join(",")
    };
    let one = |entry: Entry| {
        let mut text = entry.line.clone();
        if entry.ts != SECOND {
            text = format!("{}.{:09} {text}", entry.ts / SECOND, entry.ts % SECOND);
        }
        let (labels, metadata) = (pairs(&entry.labels), pairs(&entry.metadata));
        if !labels.is_empty() {
            text.push_str(&format!(" {{{labels}}}"));
        }
        if !metadata.is_empty() {
            text.push_str(&format!(" <{metadata}>"));
        }
        if let Some(tenant) = entry.tenant {
            text.push_str(&format!(" @{tenant}"));
        }
        text
    };
    entries.into_iter().map(one).collect::<Vec<_>>().join(" | ")
}

#[track_caller]
fn check(stages: &str, line: &str, expected: &str) {
    assert_eq!(show(Run::new(stages).line(line)), expected, "{stages}\n{line}");
}

#[test]
fn texts_are_taken_apart() {
    let json = "  - json: {expressions: {level: , user: ctx.user, n: n, deep: 'list[0].x'}}\n  - labels: {level: , user: , n: , deep: }";
    check(
        json,
        r#"{"level":"warn","ctx":{"user":"u"},"n":1.50,"list":[{"x":true}]}"#,
        r#"{"level":"warn","ctx":{"user":"u"},"n":1.50,"list":[{"x":true}]} {deep=true,level=warn,n=1.5,user=u}"#,
    );
    check(json, "no json", "no json");
    check(json, r#"{"level":null}"#, r#"{"level":null}"#);
    check("  - json: {expressions: {a: }, drop_malformed: true}", "no json", "");
    let nested = "  - json: {expressions: {inner: }}\n  - json: {expressions: {a: }, source: inner}\n  - labels: {a: }\n  - output: {source: inner}";
    check(nested, r#"{"inner":"{\"a\":\"b\"}"}"#, r#"{"a":"b"} {a=b}"#);
    let logfmt = "  - logfmt: {mapping: {level: , m: msg}}\n  - labels: {level: }\n  - output: {source: m}";
    check(logfmt, r#"level=info msg="a \"b\" c" x"#, r#"a "b" c {level=info}"#);
    check(logfmt, "=x level=warn msg=plain", "plain {level=warn}");
    let regex = r"  - regex: {expression: '^(?P<ip>\S+) (?P<verb>[A-Z]+)'}
  - labels: {ip: , method: verb}";
    check(regex, "1.2.3.4 GET /", "1.2.3.4 GET / {ip=1.2.3.4,method=GET}");
    check(regex, "nothing", "nothing");
    check("  - regex: {source: job, expression: '(?P<first>.)'}\n  - labels: {first: }", "a", "a {first=x}");
}

#[test]
fn lines_and_values_are_changed() {
    check(
        r"  - replace: {expression: 'password=(\S+)', replace: '***'}",
        "a password=x b password=y",
        "a password=*** b password=***",
    );
    check("  - replace: {expression: 'b+', replace: 'x'}", "abba", "axa");
    check("  - replace: {expression: 'c', replace: 'x'}", "abba", "abba");
    let template = "  - regex: {expression: '(?P<a>.*)'}\n  - template: {source: a, template: '{{ ToUpper .Value }}-{{ .job }}{{ .none }}'}\n  - output: {source: a}";
    check(template, "ü", "Ü-x<no value>");
    check(
        "  - template: {source: new, template: '{{ Replace .Entry \"x\" \"b\" -1 }}'}\n  - labels: {new: }",
        "x",
        "x {new=b}",
    );
    check("  - decolorize:", "\x1b[31mred\x1b[0m", "red");
    check("  - static_labels: {a: b, c: }", "x", "x {a=b}");
    check("  - static_labels: {a: b, c: d}\n  - labeldrop: [a]", "x", "x {c=d}");
    check("  - static_labels: {a: b, c: d}\n  - labelallow: [a]", "x", "x {a=b}");
    check("  - static_labels: {a: b}\n  - structured_metadata: {a: , job: }", "x", "x <a=b>");
    check("  - tenant: {value: t}", "x", "x @t");
    check("  - tenant: {label: job}", "y", "y @x");
    check(
        "  - static_labels: {a: b}\n  - pack: {labels: [a, none], ingest_timestamp: false}",
        "x",
        r#"{"a":"b","_entry":"x"}"#,
    );
}

#[test]
fn entries_are_dropped() {
    check("  - drop: {expression: '^#'}", "# x", "");
    check("  - drop: {expression: '^#'}", "x", "x");
    check("  - drop: {longer_than: 3b}", "1234", "");
    check("  - drop: {longer_than: 3b}", "123", "123");
    check("  - drop: {older_than: 1h}", "x", "");
    let both = "  - regex: {expression: '(?P<a>.)(?P<b>.)'}\n  - drop: {source: [a, b], value: '1;2'}";
    check(both, "12", "");
    check(both, "13", "13");
    check("  - drop: {source: none, expression: .*}", "x", "x");
    let matching = "  - match:\n      selector: '{job=\"x\"} |~ \"err\" != \"ignore\"'\n      stages: [{static_labels: {bad: 'yes'}}]";
    check(matching, "an error", "an error {bad=yes}");
    check(matching, "an error to ignore", "an error to ignore");
    check("  - match: {selector: '{job=\"x\"} |= \"a\"', action: drop}", "a", "");
    check("  - match: {selector: '{job=\"y\"} |= \"a\"', action: drop}", "a", "a");
    check("  - sampling: {rate: 0}", "x", "");
    check("  - sampling: {rate: 1}", "x", "x");
    let mut limit = Run::new("  - limit: {rate: 1, burst: 2, drop: true}");
    assert_eq!(["a", "b", "c"].map(|line| limit.line(line).len()), [1, 1, 0]);
    limit.now += Duration::from_secs(1);
    assert_eq!(["d", "e"].map(|line| limit.line(line).len()), [1, 0]);
}

#[test]
fn times_are_read() {
    let stage = |format: &str| {
        format!("  - regex: {{expression: '^(?P<t>[^|]*)'}}\n  - timestamp: {{source: t, format: {format}}}")
    };
    check(&stage("RFC3339Nano"), "2023-11-14T22:13:20.5Z|x", "1700000000.500000000 2023-11-14T22:13:20.5Z|x");
    check(&stage("Unix"), "1700000000|", "1700000000.000000000 1700000000|");
    check(&stage("Unix"), "1700000000.25|", "1700000000.250000000 1700000000.25|");
    check(&stage("UnixMs"), "1700000000123|", "1700000000.123000000 1700000000123|");
    check(
        &stage("'2006-01-02 15:04:05', location: Europe/Berlin"),
        "2023-11-14 23:13:20|",
        "1700000000.000000000 2023-11-14 23:13:20|",
    );
    check(
        &stage("UnixMs, fallback_formats: [RFC3339]"),
        "2023-11-14T22:13:20Z|",
        "1700000000.000000000 2023-11-14T22:13:20Z|",
    );
    check(&stage("RFC3339, action_on_failure: skip"), "x|", "x|");
    let mut fudge = Run::new(&stage("Unix"));
    assert_eq!(show(fudge.line("none yet|")), "none yet|");
    fudge.line("7|");
    assert_eq!(show(fudge.line("b|")), "7.000000001 b|");
    assert_eq!(show(fudge.line("c|")), "7.000000002 c|");
    // A year that is not written is the present one, or the one nearest to it.
    let mut yearless = Run::new(&stage("'Jan 2 15:04:05'"));
    let ts = yearless.line("Mar 4 05:06:07|")[0].ts;
    let year = template::time::Time::from_ns(ts).civil().year;
    let this = template::time::Time::from_ns(super::now_ns()).civil().year;
    assert!((year - this).abs() <= 1, "{year}");
}

#[test]
fn container_runtimes_are_unwrapped() {
    check(
        "  - docker: {}",
        r#"{"log":"hello\n","stream":"stderr","time":"2023-11-14T22:13:20.000000001Z"}"#,
        "1700000000.000000001 hello {stream=stderr}",
    );
    check("  - docker: {}", "not docker", "not docker");
    check("  - cri: {}", "2023-11-14T22:13:20Z stdout F a b", "1700000000.000000000 a b {stream=stdout}");
    check("  - cri: {}", "something else entirely", "something else entirely");
    let mut cri = Run::new("  - cri:");
    let time = "2023-11-14T22:13:20Z";
    assert_eq!(show(cri.line(&format!("{time} stdout P one "))), "");
    assert_eq!(cri.pipeline.held(), Some(0));
    assert_eq!(
        show(cri.line(&format!("{time} stderr F other"))),
        "1700000000.000000000 other {stream=stderr}"
    );
    assert_eq!(show(cri.line(&format!("{time} stdout P two "))), "");
    assert_eq!(cri.pipeline.held(), Some(0));
    assert_eq!(
        show(cri.line(&format!("{time} stdout F three"))),
        "1700000000.000000000 one two three {stream=stdout}"
    );
    assert_eq!(cri.pipeline.held(), None);
    cri.line(&format!("{time} stdout P open"));
    assert_eq!(show(cri.release(true)), "1700000000.000000000 open {stream=stdout}");
}

#[test]
fn lines_are_joined() {
    let stages = "  - multiline: {firstline: '^\\[', max_lines: 3}\n  - static_labels: {a: b}";
    let mut run = Run::new(stages);
    assert_eq!(show(run.line("before")), "before {a=b}");
    assert_eq!(show(run.line("[1")), "");
    assert_eq!(show(run.line(" 2")), "");
    assert_eq!(run.pipeline.held(), Some(1));
    assert_eq!(show(run.line("[3")), "[1\n 2 {a=b}");
    assert_eq!(run.pipeline.held(), Some(3));
    assert_eq!(show(run.release(false)), "");
    run.now += Duration::from_secs(3);
    assert_eq!(show(run.release(false)), "[3 {a=b}");
    assert_eq!((run.pipeline.held(), run.pipeline.deadline()), (None, None));
    for line in ["[1", "2", "3"] {
        assert_eq!(show(run.line(line)), "");
    }
    assert_eq!(show(run.line("4")), "[1\n2\n3 {a=b}");
    assert_eq!(show(run.release(true)), "4 {a=b}");
    let mut inner =
        Run::new("  - match:\n      selector: '{job=\"x\"}'\n      stages: [{multiline: {firstline: '^a'}}]");
    assert_eq!(show(inner.line("a")), "");
    assert_eq!(inner.pipeline.held(), Some(0));
    assert_eq!(show(inner.release(true)), "a");
}

#[test]
fn metrics_are_made_from_lines() {
    let mut run = Run::new(
        "  - regex: {expression: '(?P<took>\\d+)'}
  - metrics:
      lines: {type: Counter, description: d, config: {match_all: true, action: inc}}
      bytes: {type: Counter, prefix: my_, config: {match_all: true, count_entry_bytes: true, action: add}}
      took: {type: Histogram, config: {buckets: [1, 10]}}
      last: {type: Gauge, source: took, config: {action: set}}",
    );
    for line in ["took 5", "took 50", "x"] {
        run.line(line);
    }
    let mut families = Vec::new();
    run.metrics.custom.collect(&mut families);
    let mut text = String::new();
    expfmt::encode(&families, expfmt::Format::negotiate(""), &mut text);
    for expected in [
        "promtail_custom_lines{job=\"x\"} 3",
        "my_bytes{job=\"x\"} 14",
        "promtail_custom_took_bucket{job=\"x\",le=\"10\"} 1",
        "promtail_custom_took_count{job=\"x\"} 2",
        "promtail_custom_took_sum{job=\"x\"} 55",
        "promtail_custom_last{job=\"x\"} 50",
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
    }
}
