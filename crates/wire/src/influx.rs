//! Influx line protocol:
//!
//! ```text
//! measurement[,tag=value]* field=value[,field=value]* [timestamp]
//! ```
//!
//! Commas, blanks and equal signs in names are escaped by a backslash; text values stand in quotes.

use std::borrow::Cow;
use std::fmt;

/// Fields and tags of one line.
pub const PAIRS_MAX: usize = 10_000;

/// One line: each field is a sample of a series of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Line<'a> {
    pub measurement: Cow<'a, str>,
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Numbers and truth values; text fields have no place in a metrics store and are left out.
    pub fields: Vec<(Cow<'a, str>, f64)>,
    /// In the unit the request names; nanoseconds unless it does.
    pub timestamp: Option<i64>,
}

/// Why a line is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError(pub &'static str);

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reads one line; `None` when it is empty or a comment.
pub fn read_line(line: &str) -> Result<Option<Line<'_>>, LineError> {
    let line = line.trim_matches(['\r', '\n', ' ', '\t']);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (key, rest) = split(line, ' ', false).ok_or(LineError("no fields"))?;
    let (fields, timestamp) = split(rest.trim_start(), ' ', true).unwrap_or((rest.trim_start(), ""));
    let mut out = Line::default();
    let (measurement, mut tags) = split(key, ',', false).unwrap_or((key, ""));
    out.measurement = unescaped(measurement);
    if measurement.is_empty() {
        return Err(LineError("no measurement"));
    }
    while !tags.is_empty() {
        let (tag, rest) = split(tags, ',', false).unwrap_or((tags, ""));
        let (name, value) = split(tag, '=', false).ok_or(LineError("a tag without a value"))?;
        out.tags.push((unescaped(name), unescaped(value)));
        tags = rest;
        if out.tags.len() > PAIRS_MAX {
            return Err(LineError("too many tags"));
        }
    }
    let mut fields = fields;
    if fields.is_empty() {
        return Err(LineError("no fields"));
    }
    while !fields.is_empty() {
        let (field, rest) = split(fields, ',', true).unwrap_or((fields, ""));
        let (name, value) = split(field, '=', false).ok_or(LineError("a field without a value"))?;
        if let Some(value) = number(value)? {
            out.fields.push((unescaped(name), value));
        }
        fields = rest;
        if out.fields.len() > PAIRS_MAX {
            return Err(LineError("too many fields"));
        }
    }
    let timestamp = timestamp.trim();
    if !timestamp.is_empty() {
        out.timestamp = Some(timestamp.parse().map_err(|_| LineError("the timestamp is not an integer"))?);
    }
    Ok(Some(out))
}

/// What is before and after the first `at` that is neither escaped nor, where quotes count, in quotes.
fn split(text: &str, at: char, quotes: bool) -> Option<(&str, &str)> {
    let (mut escaped, mut quoted) = (false, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if quotes => quoted = !quoted,
            c if c == at && !quoted => return Some((text.get(..i)?, text.get(i + c.len_utf8()..)?)),
            _ => {}
        }
    }
    None
}

/// A backslash stands for itself unless something that needs it follows.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next @ (',' | ' ' | '=' | '\\')) if c == '\\' => {
                out.push(*next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn number(text: &str) -> Result<Option<f64>, LineError> {
    let bad = LineError("a field value is neither number, truth value nor quoted text");
    if text.starts_with('"') {
        return if text.len() > 1 && text.ends_with('"') {
            Ok(None)
        } else {
            Err(LineError("an open quote"))
        };
    }
    match text {
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(Some(1.0)),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(Some(0.0)),
        _ => {}
    }
    if let Some(integer) = text.strip_suffix('i') {
        return integer.parse::<i64>().map(|n| Some(n as f64)).map_err(|_| bad);
    }
    if let Some(unsigned) = text.strip_suffix('u') {
        return unsigned.parse::<u64>().map(|n| Some(n as f64)).map_err(|_| bad);
    }
    text.parse().map(Some).map_err(|_| bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        match read_line(line) {
            Ok(None) => "nothing".into(),
            Ok(Some(l)) => format!("{} {:?} {:?} {:?}", l.measurement, l.tags, l.fields, l.timestamp),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn lines() {
        for (line, expected) in [
            ("cpu,host=a use=0.5,n=3i 17", r#"cpu [("host", "a")] [("use", 0.5), ("n", 3.0)] Some(17)"#),
            ("m f=1", r#"m [] [("f", 1.0)] None"#),
            (
                r#"m,a\,b=c\ d\=e x="text, with = all",ok=t,u=7u -5"#,
                r#"m [("a,b", "c d=e")] [("ok", 1.0), ("u", 7.0)] Some(-5)"#,
            ),
            (r#"m s="a \" b" 1"#, "m [] [] Some(1)"),
            ("", "nothing"),
            ("# comment", "nothing"),
            ("m", "no fields"),
            (" ,a=b f=1", "no measurement"),
            ("m,a f=1", "a tag without a value"),
            ("m f", "a field without a value"),
            ("m f=x", "a field value is neither number, truth value nor quoted text"),
            ("m f=\"open", "an open quote"),
            ("m f=1 later", "the timestamp is not an integer"),
            ("m f=99999999999999999999i", "a field value is neither number, truth value nor quoted text"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }
}
