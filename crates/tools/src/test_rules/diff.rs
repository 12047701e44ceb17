//! Expected and received alerts as one coloured JSON text (`--diff`): red is missing, green is too much,
//! yellow is different.

use std::collections::BTreeMap;
use std::fmt::Write;

use promql_syntax::quote;

const RED: &str = "\x1b[0;31m";
const GREEN: &str = "\x1b[0;32m";
const YELLOW: &str = "\x1b[0;33m";
const END: &str = "\x1b[0m";

/// An alert as its sections (`Annotations`, `Labels`) and their pairs, sorted.
pub type Sections = Vec<(&'static str, BTreeMap<String, String>)>;

/// Both lists, element by element; a list without an alert is compared as one alert without labels.
pub fn render(expected: &[Sections], got: &[Sections]) -> String {
    let nothing = [vec![("Annotations", BTreeMap::new()), ("Labels", BTreeMap::new())]];
    let expected = if expected.is_empty() { &nothing } else { expected };
    let got = if got.is_empty() { &nothing } else { got };
    let count = expected.len().max(got.len());
    let mut out = String::from("[\n");
    for at in 0..count {
        let comma = if at + 1 < count { "," } else { "" };
        match (expected.get(at), got.get(at)) {
            (Some(a), Some(b)) => both(&mut out, a, b),
            (Some(a), None) => single(&mut out, a, RED),
            (None, Some(b)) => single(&mut out, b, GREEN),
            (None, None) => {}
        }
        let _ = writeln!(out, "{comma}");
    }
    out + "]"
}

const INDENT: &str = "    ";

fn both(out: &mut String, a: &Sections, b: &Sections) {
    let _ = writeln!(out, "{INDENT}{{");
    for (i, ((name, a_pairs), (_, b_pairs))) in a.iter().zip(b).enumerate() {
        let comma = if i + 1 < a.len() { "," } else { "" };
        let names: Vec<&String> = {
            let mut names: Vec<&String> = a_pairs.keys().chain(b_pairs.keys()).collect();
            names.sort();
            names.dedup();
            names
        };
        if names.is_empty() {
            let _ = writeln!(out, "{INDENT}{INDENT}\"{name}\": {{}}{comma}");
            continue;
        }
        let _ = writeln!(out, "{INDENT}{INDENT}\"{name}\": {{");
        for (n, key) in names.iter().enumerate() {
            let comma = if n + 1 < names.len() { "," } else { "" };
            let shown = match (a_pairs.get(*key), b_pairs.get(*key)) {
                (Some(a), Some(b)) if a == b => format!("{}: {}", quote(key), quote(a)),
                (Some(a), Some(b)) => {
                    format!("{}: {YELLOW}{} => {}{END}", quote(key), quote(a), quote(b))
                }
                (Some(a), None) => format!("{RED}{}: {}{END}", quote(key), quote(a)),
                (None, b) => format!("{GREEN}{}: {}{END}", quote(key), quote(b.map_or("", String::as_str))),
            };
            let _ = writeln!(out, "{INDENT}{INDENT}{INDENT}{shown}{comma}");
        }
        let _ = writeln!(out, "{INDENT}{INDENT}}}{comma}");
    }
    let _ = write!(out, "{INDENT}}}");
}

/// An alert that only one side has, every line in its colour.
fn single(out: &mut String, alert: &Sections, colour: &str) {
    let mut lines = vec![(1, "{".to_owned())];
    for (i, (name, pairs)) in alert.iter().enumerate() {
        let comma = if i + 1 < alert.len() { "," } else { "" };
        if pairs.is_empty() {
            lines.push((2, format!("\"{name}\": {{}}{comma}")));
            continue;
        }
        lines.push((2, format!("\"{name}\": {{")));
        for (n, (key, value)) in pairs.iter().enumerate() {
            let comma = if n + 1 < pairs.len() { "," } else { "" };
            lines.push((3, format!("{}: {}{comma}", quote(key), quote(value))));
        }
        lines.push((2, format!("}}{comma}")));
    }
    lines.push((1, "}".to_owned()));
    let lines: Vec<String> = lines
        .into_iter()
        .map(|(depth, text)| format!("{}{colour}{text}{END}", INDENT.repeat(depth)))
        .collect();
    out.push_str(&lines.join("\n"));
}
