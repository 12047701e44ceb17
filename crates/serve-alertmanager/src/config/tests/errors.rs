//! Every configuration error names file, line and key, and then says what the original says.
//!
//! The cases are in `testdata/config-errors.txt`. With `CLOUDOS_RECORD=1` the places (and our own
//! messages) are written anew, to be read before they are committed; with the original's `amtool` at hand
//! its messages are compared too.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::check;

struct Case {
    name: String,
    place: String,
    /// `>` for the original's message, `~` for ours.
    whose: char,
    message: String,
    text: String,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/config-errors.txt")
}

fn cases() -> (String, Vec<Case>) {
    let all = std::fs::read_to_string(file()).unwrap();
    let mut parts = all.split("\n== ");
    let header = parts.next().unwrap().to_owned();
    let cases = parts
        .map(|part| {
            let mut lines = part.splitn(4, '\n');
            let name = lines.next().unwrap().to_owned();
            let place = lines.next().unwrap().strip_prefix("! ").unwrap().to_owned();
            let message = lines.next().unwrap();
            let (whose, message) = (message.chars().next().unwrap(), message[2..].to_owned());
            let text = lines.next().map(|text| text.to_owned() + "\n").unwrap_or_default();
            Case { name, place, whose, message, text: text.trim_start_matches('\n').to_owned() }
        })
        .collect();
    (header, cases)
}

#[test]
fn every_error_names_file_line_and_key() {
    let record = std::env::var_os("CLOUDOS_RECORD").is_some();
    let (mut out, cases) = cases();
    assert!(cases.len() > 150, "{}", cases.len());
    let (mut wrong, mut pending) = (Vec::new(), 0);
    for case in &cases {
        let (place, message) = match check("am.yml", &case.text, Path::new(".")) {
            Ok(()) => ("?".to_owned(), "it loads".to_owned()),
            Err(error) => {
                // Everything before the message is the place.
                let shown = error.to_string();
                let place = shown.strip_suffix(error.message()).and_then(|s| s.strip_prefix("am.yml:"));
                let place = place.unwrap().trim_end_matches(": ").replacen(": ", " ", 1);
                (place, error.message().to_owned())
            }
        };
        let kept = if case.whose == '>' { &case.message } else { &message };
        let is_theirs = message == *kept;
        let place = if is_theirs { place } else { "?".to_owned() };
        out += &format!("\n== {}\n! {place}\n{} {kept}\n{}", case.name, case.whose, case.text.trim_end());
        if case.place == "?" {
            // Not found yet, or said in other words.
            println!("pending: {} (now: {message})", case.name);
            pending += 1;
        } else if place != case.place || message != case.message {
            wrong.push(format!(
                "{}\n  is   {place} | {message}\n  want {} | {}",
                case.name, case.place, case.message
            ));
        }
    }
    if record {
        std::fs::write(file(), out + "\n").unwrap();
        return;
    }
    println!("{pending} of {} are pending", cases.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_original_says_the_same() {
    let set = std::env::var_os("CLOUDOS_PEERS").map(PathBuf::from);
    let usual =
        || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/cloudos-peers/root/usr/bin"));
    let Some(tool) = set.or_else(usual).map(|dir| dir.join("amtool")).filter(|path| path.exists()) else {
        eprintln!("skipped: the original's amtool is not installed");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("am.yml");
    for case in cases().1.iter().filter(|case| case.whose == '>') {
        std::fs::write(&path, &case.text).unwrap();
        let output = Command::new(&tool).arg("check-config").arg(&path).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let message = shown.split_once("FAILED: ").map(|(_, rest)| rest.lines().next().unwrap_or(""));
        assert_eq!(message, Some(case.message.as_str()), "{}", case.name);
    }
}
