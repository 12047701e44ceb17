//! Templates with what Go makes of them: every `cases/*.cases` file is run and compared.
//!
//! The files are described in `oracle/main.go`, the program that recorded them. Where a Go compiler is at
//! hand (`GO`, or `go` on the path) it also checks that the recorded outputs are still Go's.

mod data;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use template::{MissingKey, Set};

/// One case: options, template, and the output or the error.
#[derive(Default)]
struct Case {
    html: bool,
    missing_key: MissingKey,
    template: Vec<String>,
    output: Vec<String>,
    is_error: bool,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder().join("cases"))
        .expect("the folder of the cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cases"))
        .collect();
    files.sort();
    files
}

fn parse(block: &str) -> Case {
    let mut case = Case::default();
    for line in block.lines() {
        let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
        let decoded = || serde_json::from_str::<String>(text).expect("a JSON string");
        match mark {
            ">" => case.template.push(text.to_owned()),
            ">j" => case.template.push(decoded()),
            "=" => case.output.push(text.to_owned()),
            "=j" => case.output.push(decoded()),
            "!" | "!j" => {
                case.is_error = true;
                case.output.push(if mark == "!" { text.to_owned() } else { decoded() });
            }
            "@" => {
                for option in text.split_whitespace() {
                    match option {
                        "html" => case.html = true,
                        "zero" => case.missing_key = MissingKey::Zero,
                        "default" => case.missing_key = MissingKey::Default,
                        "error" => case.missing_key = MissingKey::Error,
                        other => panic!("unknown option {other}"),
                    }
                }
            }
            "#" => {}
            _ => panic!("unknown mark in {line:?}"),
        }
    }
    case
}

fn render(case: &Case) -> Result<String, String> {
    let mut set = Set::new(data::functions());
    set.missing_key(case.missing_key);
    set.parse("t", &case.template.join("\n")).map_err(|e| e.to_string())?;
    let data = data::root();
    let result = if case.html { set.execute_html("t", &data) } else { set.execute("t", &data) };
    result.map_err(|e| e.to_string())
}

#[test]
fn every_case_gives_what_go_gives() {
    let (mut run, mut wrong) = (0, Vec::new());
    for path in files() {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for block in text.trim().split("\n\n") {
            let case = parse(block);
            if case.template.is_empty() {
                continue;
            }
            run += 1;
            let expected = case.output.join("\n");
            let (is_error, got) = match render(&case) {
                Ok(text) => (false, text),
                Err(text) => (true, text),
            };
            if (is_error, &got) != (case.is_error, &expected) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let mark = if is_error { '!' } else { '=' };
                wrong.push(format!("{name}:\n{}\ngot {mark} {got}\n", block.trim()));
            }
        }
    }
    assert!(run > 100, "only {run} cases were found");
    assert!(wrong.is_empty(), "{} of {run} cases are wrong:\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_recorded_outputs_are_go_s() {
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
