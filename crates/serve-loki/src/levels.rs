//! `detected_level`: the severity of an entry, found once, when it is pushed.
//!
//! Looked for in this order: structured metadata and stream labels under the usual names, OpenTelemetry's
//! severity number, fields of a JSON or logfmt line, and last any of the usual words in the line.

use std::borrow::Cow;

use model::Labels;

pub const DETECTED_LEVEL: &str = "detected_level";
const UNKNOWN: &str = "unknown";

/// How far into a line words are looked for: levels stand in front.
const WORD_SEARCH_BYTES_MAX: usize = 4096;

/// JSON fields this deep are still looked at.
const JSON_DEPTH_MAX: usize = 2;

/// The level of an entry; `fields` are the names it may stand under.
pub fn detect(fields: &[String], stream: &Labels, metadata: &Labels, line: &str) -> &'static str {
    let labelled = |labels: &Labels| {
        fields.iter().find_map(|field| {
            let value = labels.get(&label_name(field)).to_owned();
            (!value.is_empty()).then(|| normalise(&value).unwrap_or(UNKNOWN))
        })
    };
    if let Some(level) = labelled(metadata).or_else(|| labelled(stream)) {
        return level;
    }
    if let Ok(number) = metadata.get("severity_number").parse::<u32>() {
        return severity(number);
    }
    let trimmed = line.trim_start();
    let structured = if trimmed.starts_with('{') {
        json_field(fields, trimmed)
    } else if trimmed.contains('=') {
        logfmt_field(fields, trimmed)
    } else {
        None
    };
    structured.or_else(|| word(trimmed)).unwrap_or(UNKNOWN)
}

/// Names of labels have no dots.
fn label_name(field: &str) -> Cow<'_, str> {
    if field.contains('.') { Cow::Owned(field.replace('.', "_")) } else { Cow::Borrowed(field) }
}

/// OpenTelemetry's bands of four.
fn severity(number: u32) -> &'static str {
    match number {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => UNKNOWN,
    }
}

/// Spellings of each level.
const SPELLINGS: &[(&str, &str)] = &[
    ("trace", "trace"),
    ("trc", "trace"),
    ("debug", "debug"),
    ("dbg", "debug"),
    ("info", "info"),
    ("inf", "info"),
    ("information", "info"),
    ("warn", "warn"),
    ("wrn", "warn"),
    ("warning", "warn"),
    ("error", "error"),
    ("err", "error"),
    ("critical", "critical"),
    ("fatal", "fatal"),
];

fn normalise(value: &str) -> Option<&'static str> {
    SPELLINGS.iter().find(|(text, _)| text.eq_ignore_ascii_case(value)).map(|(_, level)| *level)
}

/// The level under one of the names in a JSON object, the outermost and earliest name first. Reads the line
/// once and builds nothing: this runs for every line that is pushed.
fn json_field(fields: &[String], line: &str) -> Option<&'static str> {
    let mut best: Option<(usize, usize, &'static str)> = None;
    let (mut depth, mut at) = (0usize, 0usize);
    let bytes = line.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let (key, end) = quoted(line, at)?;
                at = end;
                if depth == 0 || depth > JSON_DEPTH_MAX {
                    continue;
                }
                let rest = line[end..].trim_start();
                let Some(rest) = rest.strip_prefix(':').map(str::trim_start) else { continue };
                let Some(rank) = fields.iter().position(|field| field == key) else { continue };
                let value = rest.starts_with('"').then(|| quoted(rest, 0)).flatten();
                if let Some(level) = value.and_then(|(value, _)| normalise(value))
                    && best.is_none_or(|(d, r, _)| (depth, rank) < (d, r))
                {
                    best = Some((depth, rank, level));
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    best.map(|(_, _, level)| level)
}

/// The text between the quote at `at` and the next one that is not escaped, and where it ends.
fn quoted(line: &str, at: usize) -> Option<(&str, usize)> {
    let body = line.get(at + 1..)?;
    let mut escaped = false;
    let end = body.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })?;
    Some((&body[..end], at + end + 2))
}

fn logfmt_field(fields: &[String], line: &str) -> Option<&'static str> {
    // Pairs whose key is one of the names; quotes around the value do not matter.
    for (at, _) in line.match_indices('=') {
        let key = line[..at].rsplit(|c: char| c.is_whitespace()).next().unwrap_or("");
        if !fields.iter().any(|field| field == key) {
            continue;
        }
        let value = line[at + 1..].trim_start_matches('"');
        let end = value.find(|c: char| !c.is_alphanumeric()).unwrap_or(value.len());
        if let Some(level) = normalise(&value[..end]) {
            return Some(level);
        }
    }
    None
}

/// The first word of the line that is a level.
fn word(line: &str) -> Option<&'static str> {
    let mut end = line.len().min(WORD_SEARCH_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let words = line[..end].split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|w| (3..=11).contains(&w.len())).find_map(normalise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LimitsConfig;

    #[test]
    fn levels() {
        let fields = LimitsConfig::default().log_level_fields;
        let none = Labels::empty();
        let check =
            |line: &str, expected: &str| assert_eq!(detect(&fields, &none, &none, line), expected, "{line}");
        check(r#"{"level":"WARN","msg":"an error"}"#, "warn");
        check(r#"{"log":{"severity":"err"}}"#, "error");
        check(r#"{"a":{"b":{"level":"error"}}}"#, "error");
        check(r#"{"a":{"level":"error"},"b":"{\"level\":1}","severity":"info"}"#, "info");
        check(r#"{"level":"nonsense","msg":"warn"}"#, "warn");
        check("{\"level", "unknown");
        check("ts=1 level=debug msg=\"error\"", "debug");
        check("lvl=\"Warning\" x=1", "warn");
        check("2024-01-01 [ERROR] boom", "error");
        check("E: fatal: cannot", "fatal");
        check("information about errors", "info");
        check("terror and informatics", "unknown");
        check("", "unknown");
        let labels = |name: &str, value: &str| Labels::from_pairs([(name, value)]);
        assert_eq!(detect(&fields, &labels("level", "ERR"), &none, "info"), "error");
        assert_eq!(detect(&fields, &labels("level", "info"), &labels("severity", "fatal"), ""), "fatal");
        assert_eq!(detect(&fields, &none, &labels("severity_number", "17"), ""), "error");
    }
}
