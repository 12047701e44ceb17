//! Patterns with what Go makes of them: every `cases/*.jsonl` file is run and compared.
//!
//! The files are described in `oracle/main.go`, the program that recorded them. Where a Go compiler is at
//! hand (`GO`, or `go` on the path) it also checks that what was recorded is still Go's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use re2::Regex;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder().join("cases"))
        .expect("the folder of the cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    files
}

/// All matches of `text` with their groups, as the recorded pairs of offsets.
fn matches(regex: &Regex, text: &str) -> Vec<Vec<i64>> {
    let groups = regex.group_names().len();
    let (mut all, mut from, mut last_end) = (Vec::new(), 0, None);
    while from <= text.len() {
        let Some(captures) = regex.captures_at(text, from) else { break };
        let (start, end) = captures.range(0).expect("the whole match");
        if start == end && last_end == Some(start) {
            // An empty match right behind another one does not count.
            from = text[from..].chars().next().map_or(text.len() + 1, |c| from + c.len_utf8());
            continue;
        }
        let offsets = (0..groups).flat_map(|group| match captures.range(group) {
            Some((start, end)) => [start as i64, end as i64],
            None => [-1, -1],
        });
        all.push(offsets.collect());
        last_end = Some(end);
        from = if end > start {
            end
        } else {
            text[end..].chars().next().map_or(text.len() + 1, |c| end + c.len_utf8())
        };
    }
    all
}

fn run(case: &Value) -> Value {
    let pattern = case["p"].as_str().expect("a pattern");
    let texts: Vec<&str> = case["t"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = json!({ "p": pattern });
    if !texts.is_empty() {
        out["t"] = json!(texts);
    }
    let regex = match Regex::new(pattern) {
        Ok(regex) => regex,
        Err(error) => {
            out["e"] = json!(error.to_string());
            return out;
        }
    };
    let names: Vec<String> = regex.group_names().into_iter().map(Option::unwrap_or_default).collect();
    out["n"] = json!(names);
    // An open \Q swallows the end of the anchored form.
    let anchored = Regex::anchored(pattern);
    let results: Vec<Value> = texts
        .iter()
        .map(|text| {
            let replaced = regex.replace_all(text, "<$1|${name}>");
            json!({ "m": matches(&regex, text), "w": anchored.as_ref().is_ok_and(|regex| regex.is_match(text)), "s": replaced })
        })
        .collect();
    if !results.is_empty() {
        out["r"] = json!(results);
    }
    out
}

#[test]
fn every_case_gives_what_go_gives() {
    let (mut count, mut wrong) = (0, Vec::new());
    for path in files() {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for line in text.lines() {
            let case: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            count += 1;
            let got = run(&case);
            if got != case {
                wrong.push(format!("{line}\ngot\n{got}\n"));
            }
        }
    }
    assert!(count > 100, "only {count} cases were found");
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_was_recorded_is_go_s() {
    let go = std::env::var("GO").unwrap_or_else(|_| "go".into());
    if !Command::new(&go).arg("version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no Go compiler ({go}); set GO to its path");
        return;
    }
    let output = Command::new(&go)
        .args(["run", "."])
        .args(files())
        .current_dir(folder().join("oracle"))
        .env("GOPROXY", "off")
        .env("GOTOOLCHAIN", "local")
        .output()
        .expect("Go runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}
