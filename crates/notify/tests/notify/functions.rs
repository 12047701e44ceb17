//! Functions, methods, printing and errors of templates, as the original's `amtool` has them.
//!
//! `testdata/functions.jsonl` has one case per line: `text` or `html`, the template, `ok` or `error`, and
//! the output or the message, recorded from the original on `testdata/functions-data.json`. `NEWER` are
//! functions the recorded version does not have yet.

use std::path::Path;
use std::sync::Arc;

use notify::{Templates, sample_data};
use platform::ManualClock;
use template::Value;

use crate::peer;

/// `toDate` and friends: template, and output or error.
const NEWER: [(&str, Result<&str, &str>); 13] = [
    (r#"{{ base64encode "hello?>~ü" }} {{ base64encode "" }}|"#, Ok("aGVsbG8_Pn7DvA== |")),
    (r#"{{ base64decode "aGVsbG8_Pn7DvA==" }} {{ base64decode "aGVs\nbG8=" }}"#, Ok("hello?>~ü hello")),
    (r#"{{ base64decode "aGVsbG8/Pn4=" }}"#, Err("illegal base64 data at input byte 7")),
    (r#"{{ base64decode "!!!!" }}"#, Err("illegal base64 data at input byte 0")),
    (r#"{{ base64decode "aGVsbG8" }}"#, Err("illegal base64 data at input byte 4")),
    (r#"{{ base64decode "aGVsbG8==" }}"#, Err("illegal base64 data at input byte 8")),
    (
        r#"{{ toDate "2006-01-02" "2024-02-30" }} {{ toDate "2006-01-02" "2024-02-29" }}"#,
        Ok("0001-01-01 00:00:00 +0000 UTC 2024-02-29 00:00:00 +0000 UTC"),
    ),
    (r#"{{ mustToDate "2006-01-02 15:04" "2024-02-29 12:30" | date "15h04" }}"#, Ok("12h30")),
    (
        r#"{{ mustToDate "2006-01-02" "nonsense" }}"#,
        Err(r#"parsing time "nonsense" as "2006-01-02": cannot parse "nonsense" as "2006""#),
    ),
    (r#"{{ mustToDate "2006-01-02" "2024-02-30" }}"#, Err(r#"parsing time "2024-02-30": day out of range"#)),
    (r#"{{ routeLabels "team" }}/{{ routeLabels "none" }}/{{ .RouteLabels.team }}"#, Ok("db & co//db & co")),
    (r#"{{ toJson .RouteLabels }}"#, Ok(r#"{"team":"db \u0026 co"}"#)),
    (r#"{{ routeLabels }}"#, Err("wrong number of args for routeLabels: want 1 got 0")),
];

fn templates() -> Templates {
    Templates::new("http://am", &[], Arc::new(ManualClock::at_ms(1_800_000_000_000))).unwrap()
}

fn testdata(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

fn render(templates: &Templates, data: &Value, html: bool, text: &str) -> Result<String, String> {
    if html { templates.html(text, data) } else { templates.text(text, data) }.map_err(|e| e.message)
}

fn cases() -> Vec<(String, String, String, String)> {
    testdata("functions.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn templates_say_what_the_original_says() {
    let (templates, data) = (templates(), sample_data(&testdata("functions-data.json")).unwrap());
    let (mut wrong, cases) = (Vec::new(), cases());
    for (mode, text, kind, expected) in &cases {
        let (is, shown) = match render(&templates, &data, mode == "html", text) {
            Ok(shown) => ("ok", shown),
            Err(error) => ("error", error),
        };
        if (is, &shown) != (kind.as_str(), expected) {
            wrong.push(format!("{mode} {text}\n  is   {is} {shown}\n  want {kind} {expected}"));
        }
    }
    assert!(cases.len() > 150, "{}", cases.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn newer_functions() {
    let templates = templates();
    let data = sample_data(r#"{"routeLabels": {"team": "db & co"}}"#).unwrap();
    for (text, expected) in NEWER {
        match (render(&templates, &data, false, text), expected) {
            (Ok(shown), Ok(expected)) => assert_eq!(shown, expected, "{text}"),
            (Err(error), Err(expected)) => assert!(error.ends_with(expected), "{text}: {error}"),
            (other, _) => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn the_recorded_answers_are_the_originals() {
    let Some(tool) = peer::amtool() else {
        eprintln!("skipped: the original's amtool is not installed");
        return;
    };
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/functions-data.json");
    for (mode, text, kind, expected) in cases() {
        let theirs = peer::render(&tool, "/nowhere/*.tmpl", &text, mode == "html", Some(&data));
        match theirs {
            Ok(shown) => assert_eq!(("ok", &shown), (kind.as_str(), &expected), "{mode} {text}"),
            Err(error) => assert_eq!(("error", &error), (kind.as_str(), &expected), "{mode} {text}"),
        }
    }
}
