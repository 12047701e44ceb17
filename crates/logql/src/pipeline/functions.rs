//! The functions of `line_format` and `label_format` templates.

use logql_syntax::units;
use template::time::Time;
use template::{Call, Functions, Kind, Value};

use super::format::{LINE_FIELD, TIME_FIELD};

/// Repetitions and widths above this would only exhaust memory.
const TEXT_BYTES_MAX: usize = 1 << 20;

use Kind::{Any, Int, Str, Time as TimeKind};

/// Go's built-ins and Loki's own.
pub(super) fn table() -> Functions {
    let mut f = Functions::new();
    entry(&mut f);
    text(&mut f);
    encoding(&mut f);
    numbers(&mut f);
    times(&mut f);
    f
}

fn field(call: &Call<'_>, name: &str) -> Value {
    match call.root {
        Value::Object(object) => object.field(name).unwrap_or_default(),
        _ => Value::Nil,
    }
}

fn entry(f: &mut Functions) {
    f.add("__line__", &[], |call| Ok(field(call, LINE_FIELD)));
    f.add("__timestamp__", &[], |call| Ok(field(call, TIME_FIELD)));
}

fn text(f: &mut Functions) {
    // Go's names take the subject first, sprig's take it last.
    for name in ["ToLower", "lower"] {
        f.add(name, &[Str], |c| Ok(c.text(0).to_lowercase().into()));
    }
    for name in ["ToUpper", "upper"] {
        f.add(name, &[Str], |c| Ok(c.text(0).to_uppercase().into()));
    }
    for name in ["TrimSpace", "trim"] {
        f.add(name, &[Str], |c| Ok(c.text(0).trim().into()));
    }
    f.add("title", &[Str], |c| Ok(title(c.text(0)).into()));
    f.add("Trim", &[Str, Str], |c| Ok(cut(c.text(0), c.text(1), true, true).into()));
    f.add("TrimLeft", &[Str, Str], |c| Ok(cut(c.text(0), c.text(1), true, false).into()));
    f.add("TrimRight", &[Str, Str], |c| Ok(cut(c.text(0), c.text(1), false, true).into()));
    f.add("trimAll", &[Str, Str], |c| Ok(cut(c.text(1), c.text(0), true, true).into()));
    f.add("TrimPrefix", &[Str, Str], |c| Ok(c.text(0).strip_prefix(c.text(1)).unwrap_or(c.text(0)).into()));
    f.add("TrimSuffix", &[Str, Str], |c| Ok(c.text(0).strip_suffix(c.text(1)).unwrap_or(c.text(0)).into()));
    f.add("trimPrefix", &[Str, Str], |c| Ok(c.text(1).strip_prefix(c.text(0)).unwrap_or(c.text(1)).into()));
    f.add("trimSuffix", &[Str, Str], |c| Ok(c.text(1).strip_suffix(c.text(0)).unwrap_or(c.text(1)).into()));
    f.add("contains", &[Str, Str], |c| Ok(c.text(1).contains(c.text(0)).into()));
    f.add("hasPrefix", &[Str, Str], |c| Ok(c.text(1).starts_with(c.text(0)).into()));
    f.add("hasSuffix", &[Str, Str], |c| Ok(c.text(1).ends_with(c.text(0)).into()));
    f.add("Replace", &[Str, Str, Str, Int], |c| {
        let (text, from, to) = (c.text(0), c.text(1), c.text(2));
        Ok(match usize::try_from(c.int(3)) {
            Ok(count) => text.replacen(from, to, count),
            Err(_) => text.replace(from, to),
        }
        .into())
    });
    f.add("replace", &[Str, Str, Str], |c| Ok(c.text(2).replace(c.text(0), c.text(1)).into()));
    f.add("trunc", &[Int, Str], |c| Ok(trunc(c.int(0), c.text(1)).into()));
    f.add("substr", &[Int, Int, Str], |c| Ok(substr(c.int(0), c.int(1), c.text(2)).into()));
    f.add("repeat", &[Int, Str], |c| {
        let count = usize::try_from(c.int(0)).unwrap_or(0);
        bounded(count.saturating_mul(c.text(1).len()))?;
        Ok(c.text(1).repeat(count).into())
    });
    f.add("indent", &[Int, Str], |c| indent(c.int(0), c.text(1)).map(Value::from));
    f.add("nindent", &[Int, Str], |c| {
        indent(c.int(0), c.text(1)).map(|text| Value::from(format!("\n{text}")))
    });
    f.add("alignLeft", &[Int, Str], |c| align(c.int(0), c.text(1), true).map(Value::from));
    f.add("alignRight", &[Int, Str], |c| align(c.int(0), c.text(1), false).map(Value::from));
    f.add("count", &[Str, Str], |c| {
        let regex = re2::Regex::new(c.text(0)).map_err(|e| e.to_string())?;
        Ok(Value::Int(i64::try_from(regex.find_iter(c.text(1)).count()).unwrap_or(i64::MAX)))
    });
    f.add("regexReplaceAll", &[Str, Str, Str], |c| {
        let regex = re2::Regex::new(c.text(0)).map_err(|e| e.to_string())?;
        Ok(regex.replace_all(c.text(1), c.text(2)).into())
    });
    f.add("regexReplaceAllLiteral", &[Str, Str, Str], |c| {
        let regex = re2::Regex::new(c.text(0)).map_err(|e| e.to_string())?;
        Ok(regex.replace_all(c.text(1), &c.text(2).replace('$', "$$")).into())
    });
    f.add_variadic("default", &[Any], Any, |c| {
        Ok(match c.args.get(1) {
            Some(given) if given.truth() => given.clone(),
            _ => c.arg(0).clone(),
        })
    });
}

fn encoding(f: &mut Functions) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    f.add("b64enc", &[Str], |c| Ok(STANDARD.encode(c.text(0)).into()));
    f.add("b64dec", &[Str], |c| {
        let bytes = STANDARD.decode(c.text(0)).map_err(|e| e.to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    });
    f.add("urlencode", &[Str], |c| Ok(url_encode(c.text(0)).into()));
    f.add("urldecode", &[Str], |c| url_decode(c.text(0)).map(Value::from));
    f.add("fromJson", &[Str], |c| super::json_value::parse(c.text(0)));
}

fn numbers(f: &mut Functions) {
    f.add("int", &[Any], |c| Ok(Value::Int(float(c.arg(0)) as i64)));
    f.add("float64", &[Any], |c| Ok(Value::Float(float(c.arg(0)))));
    f.add("bytes", &[Str], |c| match units::parse_bytes(c.text(0)) {
        Some(bytes) => Ok(Value::Float(bytes as f64)),
        None => Err(format!("strconv.ParseFloat: parsing {:?}: invalid syntax", c.text(0))),
    });
    for name in ["duration", "duration_seconds"] {
        f.add(name, &[Str], |c| {
            let ns = units::parse_go_duration(c.text(0)).map_err(|e| format!("time: {e}"))?;
            Ok(Value::Float(ns as f64 / 1e9))
        });
    }
    fold_int(f, "add", 0, i64::wrapping_add);
    fold_int(f, "mul", 1, i64::wrapping_mul);
    f.add_variadic("max", &[Any], Any, |c| Ok(Value::Int(c.args.iter().map(int).max().unwrap_or(0))));
    f.add_variadic("min", &[Any], Any, |c| Ok(Value::Int(c.args.iter().map(int).min().unwrap_or(0))));
    f.add("sub", &[Any, Any], |c| Ok(Value::Int(int(c.arg(0)).wrapping_sub(int(c.arg(1))))));
    f.add("div", &[Any, Any], |c| divide(int(c.arg(0)), int(c.arg(1)), i64::checked_div));
    f.add("mod", &[Any, Any], |c| divide(int(c.arg(0)), int(c.arg(1)), i64::checked_rem));
    fold_float(f, "addf", |a, b| a + b);
    fold_float(f, "subf", |a, b| a - b);
    fold_float(f, "mulf", |a, b| a * b);
    fold_float(f, "divf", |a, b| a / b);
    fold_float(f, "maxf", f64::max);
    fold_float(f, "minf", f64::min);
    f.add("ceil", &[Any], |c| Ok(Value::Float(float(c.arg(0)).ceil())));
    f.add("floor", &[Any], |c| Ok(Value::Float(float(c.arg(0)).floor())));
    f.add_variadic("round", &[Any, Int], Any, |c| {
        let factor = 10f64.powi(c.int(1).clamp(0, 300) as i32);
        Ok(Value::Float((float(c.arg(0)) * factor).round() / factor))
    });
}

fn times(f: &mut Functions) {
    f.add("now", &[], |_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Value::Time(Time::from_ns(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))))
    });
    f.add("unixEpoch", &[TimeKind], |c| epoch(c, 1_000_000_000));
    f.add("unixEpochMillis", &[TimeKind], |c| epoch(c, 1_000_000));
    f.add("unixEpochNanos", &[TimeKind], |c| epoch(c, 1));
    f.add("unixToTime", &[Str], |c| {
        let text = c.text(0);
        let number: i64 = text.parse().map_err(|_| format!("unable to parse time '{text}': not a number"))?;
        // The number of digits tells the unit.
        let unit = match text.len() {
            5 => 86_400_000_000_000,
            10 => 1_000_000_000,
            13 => 1_000_000,
            16 => 1_000,
            19 => 1,
            _ => return Err(format!("unable to parse time '{text}': unknown length")),
        };
        Ok(Value::Time(Time::from_ns(number.saturating_mul(unit))))
    });
    f.add("date", &[Str, TimeKind], |c| match c.arg(1) {
        Value::Time(time) => Ok(time.format(c.text(0)).into()),
        _ => Ok(Value::Nil),
    });
}

fn epoch(call: &Call<'_>, unit_ns: i64) -> Result<Value, String> {
    match call.arg(0) {
        Value::Time(time) => Ok((time.unix_ns().div_euclid(unit_ns)).to_string().into()),
        _ => Err("expected a time".into()),
    }
}

fn fold_int(f: &mut Functions, name: &str, start: i64, op: fn(i64, i64) -> i64) {
    f.add_variadic(name, &[], Any, move |c| Ok(Value::Int(c.args.iter().map(int).fold(start, op))));
}

fn fold_float(f: &mut Functions, name: &str, op: fn(f64, f64) -> f64) {
    f.add_variadic(name, &[Any], Any, move |c| {
        Ok(Value::Float(c.args.iter().map(float).reduce(op).unwrap_or(0.0)))
    });
}

fn divide(a: i64, b: i64, op: fn(i64, i64) -> Option<i64>) -> Result<Value, String> {
    op(a, b).map(Value::Int).ok_or_else(|| "runtime error: integer divide by zero".into())
}

/// Sprig's casts: numbers as they are, text by its digits, everything else zero.
fn float(value: &Value) -> f64 {
    match value {
        Value::Int(n) => *n as f64,
        Value::Float(v) => *v,
        Value::Bool(b) => f64::from(u8::from(*b)),
        other => other.as_str().and_then(|s| s.trim().parse().ok()).unwrap_or(0.0),
    }
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(n) => *n,
        other => float(other) as i64,
    }
}

fn bounded(bytes: usize) -> Result<(), String> {
    if bytes > TEXT_BYTES_MAX {
        return Err(format!("text of {bytes} bytes exceeds the limit of {TEXT_BYTES_MAX}"));
    }
    Ok(())
}

fn cut<'t>(text: &'t str, set: &str, left: bool, right: bool) -> &'t str {
    let chosen = |c: char| set.contains(c);
    let text = if left { text.trim_start_matches(chosen) } else { text };
    if right { text.trim_end_matches(chosen) } else { text }
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| {
            let upper = std::mem::replace(&mut start, c.is_whitespace()) && c.is_lowercase();
            if upper { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

/// The first `n` characters, or for a negative number the last.
fn trunc(n: i64, text: &str) -> String {
    let length = text.chars().count();
    let n_abs = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    if n >= 0 {
        text.chars().take(n_abs).collect()
    } else {
        text.chars().skip(length.saturating_sub(n_abs)).collect()
    }
}

fn substr(start: i64, end: i64, text: &str) -> String {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let start = start.max(0);
    let end = if end < 0 || end > length { length } else { end };
    let count = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    text.chars().skip(usize::try_from(start).unwrap_or(usize::MAX)).take(count).collect()
}

fn indent(width: i64, text: &str) -> Result<String, String> {
    let width = usize::try_from(width).unwrap_or(0);
    bounded(width.saturating_mul(text.lines().count().max(1)))?;
    let pad = " ".repeat(width);
    Ok(format!("{pad}{}", text.replace('\n', &format!("\n{pad}"))))
}

fn align(width: i64, text: &str, left: bool) -> Result<String, String> {
    let width = usize::try_from(width).unwrap_or(0);
    bounded(width)?;
    let length = text.chars().count();
    if width <= length {
        // Too long a text loses what lies beyond the aligned edge.
        return Ok(if left {
            text.chars().take(width).collect()
        } else {
            text.chars().skip(length - width).collect()
        });
    }
    let pad = " ".repeat(width - length);
    Ok(if left { format!("{text}{pad}") } else { format!("{pad}{text}") })
}

fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn url_decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let code = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
                let shown = String::from_utf8_lossy(rest.get(..2).unwrap_or(rest)).into_owned();
                bytes.push(byte.ok_or_else(|| format!("invalid URL escape \"%{shown}\""))?);
                rest = &rest[2..];
            }
            b => bytes.push(*b),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
