//! Values as Go's `json.Marshal` writes them: keys sorted, `<`, `>` and `&` escaped.

use crate::value::Value;

/// Nesting deeper than this is refused.
const DEPTH_MAX: usize = 100;

pub(super) fn encode(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write(&mut out, value, 0)?;
    Ok(out)
}

fn write(out: &mut String, value: &Value, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err("json: value is nested too deeply".into());
    }
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => out.push_str(&n.to_string()),
        Value::Byte(n) => out.push_str(&n.to_string()),
        Value::Duration(d) => out.push_str(&d.0.to_string()),
        Value::Float(v) => out.push_str(&float(*v)?),
        Value::Str(s) | Value::Html(s) | Value::Url(s) => text(out, s),
        Value::Time(t) => text(out, &t.format("2006-01-02T15:04:05.999999999Z07:00")),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(out, item, depth + 1)?;
            }
            out.push(']');
        }
        Value::StrMap(map) => {
            let entries = map.iter().map(|(key, item)| (key.as_str(), Value::str(item)));
            object(out, entries, depth)?;
        }
        Value::Map(map) => {
            let entries = map.iter().map(|(key, item)| (key.as_str(), item.clone()));
            object(out, entries, depth)?;
        }
        Value::Object(inner) => match inner.underlying() {
            Some(underlying) => write(out, &underlying, depth + 1)?,
            None => match inner.fields() {
                fields if fields.is_empty() => text(out, &inner.display()),
                fields => {
                    let entries = fields.iter().map(|(name, value)| (name.as_str(), value.clone()));
                    object(out, entries, depth)?;
                }
            },
        },
    }
    Ok(())
}

fn object<'v>(
    out: &mut String,
    entries: impl Iterator<Item = (&'v str, Value)>,
    depth: usize,
) -> Result<(), String> {
    out.push('{');
    for (i, (key, item)) in entries.enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        text(out, key);
        out.push(':');
        write(out, &item, depth + 1)?;
    }
    out.push('}');
    Ok(())
}

fn float(v: f64) -> Result<String, String> {
    if !v.is_finite() {
        let shown = if v.is_nan() {
            "NaN"
        } else if v > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return Err(format!("json: unsupported value: {shown}"));
    }
    // Plain digits where they are readable; else an exponent without the zero of `1e-07`.
    if v == 0.0 || (1e-6..1e21).contains(&v.abs()) {
        return Ok(model::float::format_f(v));
    }
    let text = format!("{v:e}");
    Ok(if text.contains("e-") { text } else { text.replace('e', "e+") })
}

fn text(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}
