//! Queries over a small store, as tables: each case is a query and its answer as text.

use std::sync::Arc;

use model::{Labels, LogEntry};
use storage::logs::{Direction, StreamBatch};
use storage::{LogQuerier, LogStore};

use crate::engine::{Engine, Limits, LogParams, QueryContext, QueryData, TimeParams};
use crate::testing::MemoryStore;

const SECOND: i64 = 1_000_000_000;

/// A minute of lines from two services: one JSON, one logfmt, with some lines of another kind.
fn store() -> Arc<dyn LogQuerier> {
    let store = MemoryStore::new();
    let json: Vec<(i64, String)> = (1..=60)
        .map(|i| {
            let level = if i % 10 == 0 { "error" } else { "info" };
            let line = format!(
                r#"{{"level":"{level}","took":"{i}ms","size":"{i}KB","n":{i},"req":{{"path":"/p{}"}}}}"#,
                i % 3
            );
            (i * SECOND, line)
        })
        .collect();
    let json: Vec<(i64, &str)> = json.iter().map(|(t, l)| (*t, l.as_str())).collect();
    store.add(&[("app", "api"), ("pod", "api-0")], &json[..30]);
    store.add(&[("app", "api"), ("pod", "api-1")], &json[30..]);
    let logfmt: Vec<(i64, String)> = (1..=6)
        .map(|i| (i * 10 * SECOND, format!("level=warn msg=\"slow query\" n={i} addr=10.0.0.{i}")))
        .collect();
    let logfmt: Vec<(i64, &str)> = logfmt.iter().map(|(t, l)| (*t, l.as_str())).collect();
    store.add(&[("app", "db")], &logfmt);
    store.add(&[("app", "raw")], &[(5 * SECOND, "not json"), (6 * SECOND, "{\"level\":\"info\"}")]);
    let meta = |trace: &str, ts: i64| LogEntry {
        ts,
        line: "with metadata".into(),
        structured_metadata: Labels::from_pairs([("trace_id", trace), ("detected_level", "info")]),
    };
    let _ = store.push(vec![StreamBatch {
        labels: Labels::from_pairs([("app", "meta")]),
        entries: vec![meta("a", SECOND), meta("b", 2 * SECOND), meta("a", 3 * SECOND)],
    }]);
    store.querier().unwrap()
}

fn context() -> QueryContext {
    QueryContext { parallelism: 2, ..QueryContext::default() }
}

const LOG: LogParams =
    LogParams { limit: 5000, direction: Direction::Backward, interval: 0, categorize: false };

fn run(query: &str, time: TimeParams, log: &LogParams) -> Result<QueryData, String> {
    let expr = logql_syntax::parse(query).map_err(|e| e.to_string())?;
    let engine = Engine::new(Limits::default());
    engine.query(store().as_ref(), &expr, time, log, &context()).map(|r| r.data).map_err(|e| e.message)
}

/// The answer at 60 s, one `labels value` per series.
fn instant(query: &str) -> String {
    match run(query, TimeParams::Instant(60 * SECOND), &LOG) {
        Ok(QueryData::Vector(samples)) => {
            let line =
                |(labels, p): &(Labels, crate::Point)| format!("{labels} {}", model::float::format_f(p.v));
            samples.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Ok(QueryData::Scalar(p)) => format!("scalar {}", model::float::format_f(p.v)),
        Ok(other) => format!("{other:?}"),
        Err(e) => format!("error: {e}"),
    }
}

fn check(query: &str, expected: &str) {
    assert_eq!(instant(query), expected, "{query}");
}

#[test]
fn counts_and_rates() {
    check(
        r#"count_over_time({app="api"}[1m])"#,
        "{app=\"api\", pod=\"api-0\"} 30\n{app=\"api\", pod=\"api-1\"} 30",
    );
    check(r#"sum(count_over_time({app="api"}[1m]))"#, "{} 60");
    check(r#"sum by (pod) (count_over_time({app="api"}[20s]))"#, "{pod=\"api-1\"} 20");
    check(r#"sum without (pod) (rate({app="api"}[1m]))"#, "{app=\"api\"} 1");
    check(r#"count_over_time({app="api"}[20s] offset 30s)"#, "{app=\"api\", pod=\"api-0\"} 20");
    check(r#"bytes_over_time({app="raw"}[1m])"#, "{app=\"raw\"} 24");
    check(r#"bytes_rate({app="raw"}[1m]) * 60"#, "{app=\"raw\"} 24");
    check(r#"count_over_time({app="none"}[1m])"#, "");
    check(r#"sum(count_over_time({app="none"}[1m]))"#, "");
    check(r#"sum(count_over_time({app="none"}[1m])) or vector(0)"#, "{} 0");
    check(r#"absent_over_time({app="none", x=~"y"}[1m])"#, "{app=\"none\"} 1");
    check(r#"absent_over_time({app="api"}[1m])"#, "");
}

#[test]
fn windows_are_open_at_the_start() {
    check(r#"count_over_time({app="db"}[10s])"#, "{app=\"db\"} 1");
    check(r#"count_over_time({app="db"}[50s])"#, "{app=\"db\"} 5");
    check(r#"count_over_time({app="db"}[50001ms])"#, "{app=\"db\"} 6");
}

#[test]
fn parsers_and_filters() {
    check(
        r#"sum by (level) (count_over_time({app="api"} | json [1m]))"#,
        "{level=\"error\"} 6\n{level=\"info\"} 54",
    );
    check(
        r#"sum by (req_path) (count_over_time({app="api"} | json | n > 57 [1m]))"#,
        "{req_path=\"/p0\"} 1\n{req_path=\"/p1\"} 1\n{req_path=\"/p2\"} 1",
    );
    check(r#"sum(count_over_time({app="api"} | json | took >= 50ms and size < 55KB [1m]))"#, "{} 5");
    check(r#"sum(count_over_time({app="api"} |= "error" [1m]))"#, "{} 6");
    check(r#"sum(count_over_time({app="api"} |~ "took.:.(1|2)ms" [1m]))"#, "{} 2");
    check(
        r#"sum by (msg) (count_over_time({app="db"} | logfmt | addr = ip("10.0.0.1-10.0.0.3") [1m]))"#,
        "{msg=\"slow query\"} 3",
    );
    check(r#"sum by (x) (count_over_time({app="db"} | logfmt x="level" [1m]))"#, "{x=\"warn\"} 6");
    check(r#"sum by (w) (count_over_time({app="db"} | regexp "level=(?P<w>\\w+)" [1m]))"#, "{w=\"warn\"} 6");
    check(r#"sum by (w) (count_over_time({app="db"} | pattern "level=<w> <_>" [1m]))"#, "{w=\"warn\"} 6");
    check(
        r#"sum by (p) (count_over_time({app="api"} | json p="req.path" [1m]))"#,
        "{p=\"/p0\"} 20\n{p=\"/p1\"} 20\n{p=\"/p2\"} 20",
    );
    check(
        r#"count_over_time({app="api"} | json | drop took, size, n, req_path, pod [1m])"#,
        "{app=\"api\", level=\"error\"} 6\n{app=\"api\", level=\"info\"} 54",
    );
    check(
        r#"count_over_time({app="api"} | json | keep level [1m])"#,
        "{level=\"error\"} 6\n{level=\"info\"} 54",
    );
    check(
        r#"sum by (l) (count_over_time({app="api"} | json | label_format l="{{.level | ToUpper}}" [1m]))"#,
        "{l=\"ERROR\"} 6\n{l=\"INFO\"} 54",
    );
    check(
        r#"count_over_time({app="meta"}[1m])"#,
        "{app=\"meta\", detected_level=\"info\", trace_id=\"a\"} 2\n{app=\"meta\", detected_level=\"info\", trace_id=\"b\"} 1",
    );
    check(
        r#"sum by (detected_level) (count_over_time({app="meta"} | trace_id="a" [1m]))"#,
        "{detected_level=\"info\"} 2",
    );
}

#[test]
fn unwrapped_values() {
    let q = |f: &str| format!(r#"{f}({{app="db"}} | logfmt | drop addr, msg, level | unwrap n [1m])"#);
    for (function, expected) in [
        ("sum_over_time", "21"),
        ("avg_over_time", "3.5"),
        ("min_over_time", "1"),
        ("max_over_time", "6"),
        ("first_over_time", "1"),
        ("last_over_time", "6"),
        ("stdvar_over_time", "2.9166666666666665"),
        ("rate", "0.35"),
    ] {
        check(&q(function), &format!("{{app=\"db\"}} {expected}"));
    }
    check(r#"quantile_over_time(0.5, {app="db"} | logfmt | unwrap n [1m]) by (app)"#, "{app=\"db\"} 3.5");
    check(
        r#"max_over_time({app="api"} | json | unwrap duration(took) [1m]) by (level)"#,
        "{level=\"error\"} 0.06\n{level=\"info\"} 0.059",
    );
    check(
        r#"sum by (app) (sum_over_time({app="api"} | json | unwrap bytes(size) [1m]))"#,
        "{app=\"api\"} 1830000",
    );
    // Every series that still has its number as a label would be a series of one.
    check(r#"count(sum_over_time({app="db"} | logfmt | drop addr | unwrap n [1m]))"#, "{} 1");
}

#[test]
fn errors_of_lines() {
    let error = instant(r#"count_over_time({app="raw"} | json [1m])"#);
    assert!(error.starts_with("error: pipeline error: 'JSONParserErr' for series: '{"), "{error}");
    assert!(error.contains("__error__=\"JSONParserErr\""), "{error}");
    check(r#"sum(count_over_time({app="raw"} | json | __error__="" [1m]))"#, "{} 1");
    check(
        r#"sum(count_over_time({app="raw"} | json | __error__="JSONParserErr" | drop __error__ [1m]))"#,
        "{} 1",
    );
    check(
        r#"sum(count_over_time({app="db"} | logfmt | msg > 5 | __error__="LabelFilterErr" | drop __error__ [1m]))"#,
        "{} 6",
    );
    let error = instant(r#"sum_over_time({app="db"} | logfmt | unwrap msg [1m])"#);
    assert!(error.contains("SampleExtractionErr"), "{error}");
    check(r#"sum_over_time({app="db"} | logfmt | unwrap msg | __error__="" [1m])"#, "");
}

#[test]
fn operators_and_aggregations() {
    check(r#"1 + 2 * 3"#, "scalar 7");
    check(r#"vector(1) + vector(1)"#, "{} 2");
    check(
        r#"sum(count_over_time({app="api"} |= "error" [1m])) / sum(count_over_time({app="api"}[1m])) * 100"#,
        "{} 10",
    );
    check(r#"sum by (app) (count_over_time({app=~".+"}[1m])) > 5"#, "{app=\"api\"} 60\n{app=\"db\"} 6");
    check(
        r#"sum by (app) (count_over_time({app=~"api|db"}[1m])) > bool 10"#,
        "{app=\"api\"} 1\n{app=\"db\"} 0",
    );
    check(r#"topk(1, sum by (app) (count_over_time({app=~".+"}[1m])))"#, "{app=\"api\"} 60");
    check(r#"bottomk(1, sum by (app) (count_over_time({app=~".+"}[1m])))"#, "{app=\"raw\"} 2");
    check(
        r#"sort_desc(sum by (app) (count_over_time({app=~"api|db|raw"}[1m])))"#,
        "{app=\"api\"} 60\n{app=\"db\"} 6\n{app=\"raw\"} 2",
    );
    check(r#"avg(count_over_time({app="api"}[1m]))"#, "{} 30");
    check(r#"count(count_over_time({app="api"}[1m]))"#, "{} 2");
    check(r#"stddev(sum by (app) (count_over_time({app=~"db|raw"}[1m])))"#, "{} 2");
    check(
        r#"sum by (pod, app) (count_over_time({app="api"}[1m])) / on (app) group_left sum by (app) (count_over_time({app="api"}[1m]))"#,
        "{app=\"api\", pod=\"api-0\"} 0.5\n{app=\"api\", pod=\"api-1\"} 0.5",
    );
    check(
        r#"sum by (app) (count_over_time({app="api"}[1m])) and sum by (app) (count_over_time({app="db"}[1m]))"#,
        "",
    );
    check(
        r#"sum by (app) (count_over_time({app=~"api|db"}[1m])) unless sum by (app) (count_over_time({app="db"}[1m]))"#,
        "{app=\"api\"} 60",
    );
    check(
        r#"label_replace(sum by (app) (count_over_time({app="api"}[1m])), "x", "$1-y", "app", "(a.).*")"#,
        "{app=\"api\", x=\"ap-y\"} 60",
    );
    check(
        r#"count_over_time({app="api"}[1m]) / on (app) count_over_time({app="api"}[1m])"#,
        "error: found duplicate series for the match group {app=\"api\"} on the right hand-side of the operation: [{app=\"api\", pod=\"api-0\"}, {app=\"api\", pod=\"api-1\"}];many-to-many matching not allowed: matching labels must be unique on one side",
    );
    check(
        r#"{app="api"}"#,
        "error: log queries are not supported as an instant query type, please change your query to a range query type",
    );
}

#[test]
fn range_queries_give_a_point_per_step_that_has_data() {
    let time = TimeParams::Range { start: 0, end: 60 * SECOND, step: 20 * SECOND };
    let Ok(QueryData::Matrix(series)) = run(r#"sum(count_over_time({app="db"}[20s]))"#, time, &LOG) else {
        panic!()
    };
    let points: Vec<(i64, f64)> = series[0].points.iter().map(|p| (p.t, p.v)).collect();
    assert_eq!(points, [(20_000, 2.0), (40_000, 2.0), (60_000, 2.0)]);
    let Ok(QueryData::Matrix(series)) = run("vector(3)", time, &LOG) else { panic!() };
    assert_eq!(series[0].points.len(), 4);
    let Ok(QueryData::Matrix(series)) = run(r#"sum(count_over_time({app="db"}[25s]))"#, time, &LOG) else {
        panic!()
    };
    let points: Vec<f64> = series[0].points.iter().map(|p| p.v).collect();
    assert_eq!(points, [2.0, 3.0, 3.0], "overlapping windows share cells");
}

fn lines(query: &str, log: &LogParams) -> Vec<String> {
    let time = TimeParams::Range { start: 0, end: 100 * SECOND, step: SECOND };
    match run(query, time, log) {
        Ok(QueryData::Streams(streams)) => streams
            .iter()
            .flat_map(|s| s.entries.iter().map(|e| format!("{} {} {}", e.ts / SECOND, s.labels, e.line)))
            .collect(),
        other => vec![format!("{other:?}")],
    }
}

#[test]
fn log_queries_return_the_first_entries_of_their_direction() {
    let newest =
        lines(r#"{app="db"} | logfmt | line_format "{{.n}}" | keep app"#, &LogParams { limit: 2, ..LOG });
    assert_eq!(newest, [r#"60 {app="db"} 6"#, r#"50 {app="db"} 5"#]);
    let oldest = LogParams { limit: 2, direction: Direction::Forward, ..LOG };
    assert_eq!(
        lines(r#"{app="db"} | line_format "x""#, &oldest),
        [r#"10 {app="db"} x"#, r#"20 {app="db"} x"#]
    );
    let all = lines(r#"{app=~".+"}"#, &LogParams { limit: 10, ..LOG });
    assert_eq!(all.len(), 10);
    assert!(all.iter().all(|l| l.split(' ').next().unwrap().parse::<i64>().unwrap() >= 52), "{all:?}");
    let apart = LogParams { interval: 25 * SECOND, ..LOG };
    assert_eq!(
        lines(r#"{app="db"} | line_format "x""#, &apart),
        [r#"60 {app="db"} x"#, r#"30 {app="db"} x"#]
    );
}

#[test]
fn categories_are_kept_apart_on_demand() {
    let time = TimeParams::Range { start: 0, end: 100 * SECOND, step: SECOND };
    let log = LogParams { categorize: true, ..LOG };
    let query = r#"{app="meta"} | label_format extra="{{.trace_id}}!""#;
    let Ok(QueryData::Streams(streams)) = run(query, time, &log) else { panic!() };
    assert_eq!(streams.len(), 1, "one stream, whatever the metadata");
    let entry = &streams[0].entries[0];
    assert_eq!(streams[0].labels.to_string(), r#"{app="meta"}"#);
    assert_eq!(entry.structured_metadata.to_string(), r#"{detected_level="info", trace_id="a"}"#);
    assert_eq!(entry.parsed.to_string(), r#"{extra="a!"}"#);
    assert_eq!(
        lines(r#"{app="meta"}"#, &LOG)[0],
        r#"3 {app="meta", detected_level="info", trace_id="a"} with metadata"#
    );
}

#[test]
fn templates_that_cannot_be_read_are_refused() {
    let time = TimeParams::Range { start: 0, end: SECOND, step: SECOND };
    let error = |query: &str| run(query, time, &LOG).unwrap_err();
    assert_eq!(
        error(r#"{app="a"} | line_format "{{ nofunc .pod }}""#),
        "parse error : stage '| line_format \"{{ nofunc .pod }}\"' : invalid line template: template: line:1: function \"nofunc\" not defined"
    );
    assert!(
        error(r#"{app="a"} | label_format x="{{ .pod""#)
            .contains("invalid template for label 'x': template: label:1: ")
    );
}

#[test]
fn groupings_decide_what_is_parsed_and_nothing_else_changes() {
    check(
        r#"sum by (level_extracted) (count_over_time({app="raw"} | label_format level="x" | json | __error__="" [1m]))"#,
        "{} 1",
    );
    check(
        r#"sum by (app_extracted) (count_over_time({app="db"} | logfmt app="level" [1m]))"#,
        "{app_extracted=\"warn\"} 6",
    );
    check(
        r#"sum by (pod) (sum_over_time({app="api"} | json | req_path="/p1" | unwrap n [1m]))"#,
        "{pod=\"api-0\"} 145\n{pod=\"api-1\"} 445",
    );
    check(r#"count(avg_over_time({app="api"} | json | unwrap n [1m]) by (n))"#, "{} 60");
    check(r#"sum by (n) (sum_over_time({app="db"} | logfmt | unwrap n [1m]))"#, "{} 21");
}

#[test]
fn no_line_panics() {
    let seeds = [
        r#"{"a":"b\u00e9\ud83d","n":-1.5e3,"l":[1,{"x":null}],"o":{"p":true}}"#,
        "level=info msg=\"a \\\"b\\\" µ\" x= =y z\"q",
        "1.2.3.4 - µser [x] \u{1b}[31mred\u{1b}[0m",
    ];
    let query = r#"{a="b"} |~ "." | json | logfmt | regexp "(?P<r>\\w+)" | pattern "<p> <_>" | unpack
        | decolorize | line_format "{{.a}}{{ __line__ | upper | trunc 3 }}" | label_format z="{{.r}}" | keep a, z"#;
    let stages = logql_syntax::parse_log(query).unwrap().stages;
    let pipeline = crate::pipeline::Pipeline::compile(&stages).unwrap();
    let mut state = pipeline.state(&Labels::from_pairs([("a", "b")]));
    let metadata = Labels::empty();
    for seed in seeds {
        for cut in 0..seed.len() {
            let (Some(head), Some(tail)) = (seed.get(..cut), seed.get(cut..)) else { continue };
            for line in [head, tail, &format!("{tail}{head}"), &format!("{head}µ\u{0}\\{tail}")] {
                let entry = storage::logs::EntryRef { ts: 0, line, structured_metadata: &metadata };
                let _ = pipeline.process(entry, &mut state);
                let _ = state.all();
            }
        }
    }
}

#[test]
fn limits_and_cancellation() {
    let expr = logql_syntax::parse(r#"count_over_time({app="api"} | json [1m])"#).unwrap();
    let at = TimeParams::Instant(60 * SECOND);
    let engine = Engine::new(Limits { max_query_series: 10, ..Limits::default() });
    let error = engine.query(store().as_ref(), &expr, at, &LOG, &context()).unwrap_err();
    assert!(error.message.starts_with("maximum number of series (10) reached for a single query"), "{error}");
    let context = context();
    context.cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = engine.query(store().as_ref(), &expr, at, &LOG, &context).unwrap_err();
    assert_eq!(error.message, "the request was cancelled by the client");
}
