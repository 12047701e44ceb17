//! The notation of series in test files: `name{label="value"} 1 2+3x4 _ stale {{schema:0 count:1}}`, as unit
//! tests of rules and scripts of queries use it.

use std::sync::Arc;

use model::{BucketSpan, FloatHistogram, Labels, LabelsBuilder, ResetHint, Value};

/// `None` is a gap.
pub type Values = Vec<Option<Value>>;

/// A series line.
pub struct SeriesLine {
    pub labels: Labels,
    /// The values are start times, as durations relative to the samples of the same series.
    pub start_times: bool,
    pub values: Values,
}

/// A label set and its values in one line.
pub fn series_line(line: &str) -> Result<SeriesLine, String> {
    let (labels, rest) = metric(line)?;
    let (start_times, rest) = match rest.strip_prefix("@st") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let mut values = Values::new();
    for item in items(rest) {
        expand(&item, start_times, &mut values).map_err(|e| format!("{item:?}: {e}"))?;
    }
    Ok(SeriesLine { labels, start_times, values })
}

/// The values alone, as they follow a label set.
pub fn values(text: &str) -> Result<Values, String> {
    let mut values = Values::new();
    for item in items(text) {
        expand(&item, false, &mut values).map_err(|e| format!("{item:?}: {e}"))?;
    }
    Ok(values)
}

/// The labels at the start of a line, and what follows them.
pub fn metric(line: &str) -> Result<(Labels, &str), String> {
    let mut builder = LabelsBuilder::default();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    if !name.is_empty() {
        builder.set("__name__", name);
    }
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            inside = inside.trim_start_matches([' ', ',', '\t']);
            if let Some(after) = inside.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = if inside.starts_with(['"', '\'', '`']) {
                let (text, after) = quoted(inside)?;
                if !after.trim_start().starts_with('=') {
                    builder.set("__name__", text);
                    inside = after;
                    continue;
                }
                (text, after)
            } else {
                let (label, after) = inside.split_once('=').ok_or("expected a label")?;
                (label.trim().to_owned(), &inside[inside.len() - after.len() - 1..])
            };
            let after = after.trim_start().strip_prefix('=').ok_or("expected =")?.trim_start();
            let (value, after) = quoted(after)?;
            builder.set(label, value);
            inside = after;
        }
    }
    Ok((builder.build(), rest))
}

fn quoted(text: &str) -> Result<(String, &str), String> {
    let quote = text.chars().next().ok_or("expected a string")?;
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            let bytes = promql_syntax::unquote(&text[..=i]).ok_or("bad string")?;
            return Ok((String::from_utf8(bytes).map_err(|e| e.to_string())?, &text[i + 1..]));
        }
        escaped = c == '\\' && !escaped && quote != '`';
    }
    Err("string without end".into())
}

/// Splits at spaces outside of histograms.
fn items(text: &str) -> Vec<String> {
    let (mut all, mut current, mut depth) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c.is_whitespace() && depth == 0 {
            if !current.is_empty() {
                all.push(std::mem::take(&mut current));
            }
        } else {
            current.push(c);
        }
    }
    if !current.is_empty() {
        all.push(current);
    }
    all
}

fn expand(item: &str, durations: bool, out: &mut Values) -> Result<(), String> {
    if item.starts_with("{{") {
        return expand_histogram(item, out);
    }
    let (body, times) = match item.rsplit_once('x') {
        Some((body, times)) => (body, Some(times.parse::<usize>().map_err(|e| e.to_string())?)),
        None => (item, None),
    };
    if body == "_" {
        out.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
        return Ok(());
    }
    if body == "stale" {
        out.extend(std::iter::repeat_n(Some(Value::Float(model::stale_nan())), times.map_or(1, |n| n + 1)));
        return Ok(());
    }
    let number = |text: &str| if durations { duration(text) } else { float(text) };
    // The sign of the increment, past the sign of the number and of its exponent.
    let split = body
        .char_indices()
        .skip(1)
        .find(|(i, c)| matches!(c, '+' | '-') && !matches!(body.as_bytes()[i - 1], b'e' | b'E'))
        .map(|(i, _)| i);
    let (mut value, step) = match split.filter(|_| times.is_some()) {
        Some(at) => (number(&body[..at])?, number(&body[at..])?),
        None => (number(body)?, 0.0),
    };
    for _ in 0..times.map_or(1, |n| n + 1) {
        out.push(Some(Value::Float(value)));
        value += step;
    }
    Ok(())
}

/// A number as PromQL writes it, with a sign.
pub fn float(text: &str) -> Result<f64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    promql_syntax::parse_number(digits).map(|v| sign * v).ok_or_else(|| format!("not a number: {text:?}"))
}

/// Milliseconds.
fn duration(text: &str) -> Result<f64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    model::duration::parse(digits).map(|ms| sign * ms as f64).map_err(|e| e.to_string())
}

fn expand_histogram(item: &str, out: &mut Values) -> Result<(), String> {
    let (first, rest) = histogram(item)?;
    let value = |h: &FloatHistogram| Some(Value::Histogram(Arc::new(h.clone())));
    if rest.is_empty() {
        out.push(value(&first));
        return Ok(());
    }
    let count = |text: &str| -> Result<usize, String> {
        text.strip_prefix('x').and_then(|n| n.parse().ok()).ok_or_else(|| format!("bad repetition {text:?}"))
    };
    let Some(increment) = rest.strip_prefix(['+', '-']) else {
        let n = count(rest)?;
        out.extend(std::iter::repeat_n(value(&first), n + 1));
        return Ok(());
    };
    let (step, after) = histogram(increment)?;
    let mut current = first;
    out.push(value(&current));
    for _ in 0..count(after)? {
        let mut sum = eval::histogram::Wide::new(&current);
        let result = if rest.starts_with('+') { sum.add(&step) } else { sum.subtract(&step) };
        result.map_err(|_| "incompatible histograms")?;
        current = sum.finish();
        out.push(value(&current));
    }
    Ok(())
}

/// `{{key:value …}}` and what follows it.
pub fn histogram(text: &str) -> Result<(FloatHistogram, &str), String> {
    let inside = text.strip_prefix("{{").ok_or("expected {{")?;
    let end = inside.find("}}").ok_or("expected }}")?;
    let (inside, rest) = (&inside[..end], &inside[end + 2..]);
    let mut h = FloatHistogram::default();
    let (mut offset, mut n_offset) = (0, 0);
    let mut left = inside.trim();
    while !left.is_empty() {
        let (key, after) = left.split_once(':').ok_or("expected key:value")?;
        let (value, after) = match after.strip_prefix('[') {
            Some(list) => list.split_once(']').ok_or("expected ]")?,
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        let list = || value.split_whitespace().map(float).collect::<Result<Vec<f64>, String>>();
        let int = || value.parse::<i32>().map_err(|e| e.to_string());
        match key.trim() {
            "schema" => h.schema = int()?,
            "sum" => h.sum = float(value)?,
            "count" => h.count = float(value)?,
            "z_bucket" => h.zero_count = float(value)?,
            "z_bucket_w" => h.zero_threshold = float(value)?,
            "buckets" => h.positive_buckets = list()?,
            "n_buckets" => h.negative_buckets = list()?,
            "offset" => offset = int()?,
            "n_offset" => n_offset = int()?,
            "custom_values" => h.custom_values = list()?,
            "counter_reset_hint" => {
                h.reset_hint = match value {
                    "unknown" => ResetHint::Unknown,
                    "reset" => ResetHint::CounterReset,
                    "not_reset" => ResetHint::NotCounterReset,
                    "gauge" => ResetHint::Gauge,
                    other => return Err(format!("unknown hint {other:?}")),
                };
            }
            other => return Err(format!("unknown key {other:?}")),
        }
        left = after.trim_start();
    }
    let span = |offset, buckets: &[f64]| match buckets.len() {
        0 => Vec::new(),
        n => vec![BucketSpan { offset, length: n as u32 }],
    };
    h.positive_spans = span(offset, &h.positive_buckets);
    h.negative_spans = span(n_offset, &h.negative_buckets);
    Ok((h, rest))
}

/// A native histogram in this notation; what is as usual is left out.
pub fn histogram_text(h: &FloatHistogram) -> String {
    let number = model::float::format_g;
    let list = |values: &[f64]| values.iter().map(|v| number(*v)).collect::<Vec<_>>().join(" ");
    let mut parts = Vec::new();
    let mut scalar = |name: &str, value: f64| {
        if value != 0.0 {
            parts.push(format!("{name}:{}", number(value)));
        }
    };
    scalar("schema", f64::from(h.schema));
    scalar("count", h.count);
    scalar("sum", h.sum);
    scalar("z_bucket", h.zero_count);
    scalar("z_bucket_w", h.zero_threshold);
    if h.schema == -53 {
        parts.push(format!("custom_values:[{}]", list(&h.custom_values)));
    }
    match h.reset_hint {
        ResetHint::Unknown => {}
        ResetHint::CounterReset => parts.push("counter_reset_hint:reset".into()),
        ResetHint::NotCounterReset => parts.push("counter_reset_hint:not_reset".into()),
        ResetHint::Gauge => parts.push("counter_reset_hint:gauge".into()),
    }
    for (prefix, spans, buckets) in
        [("", &h.positive_spans, &h.positive_buckets), ("n_", &h.negative_spans, &h.negative_buckets)]
    {
        let Some(first) = spans.first() else { continue };
        if first.offset != 0 {
            parts.push(format!("{prefix}offset:{}", first.offset));
        }
        parts.push(format!("{prefix}buckets:[{}]", list(&one_span(spans, buckets))));
    }
    format!("{{{{{}}}}}", parts.join(" "))
}

/// Most buckets a gap between spans is written out as.
const GAP_MAX: usize = 1 << 16;

/// The buckets of all spans as those of one, gaps as zeros.
fn one_span(spans: &[BucketSpan], buckets: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    let mut left = buckets.iter();
    for (i, span) in spans.iter().enumerate() {
        if i > 0 {
            let gap = usize::try_from(span.offset).unwrap_or(0).min(GAP_MAX);
            out.extend(std::iter::repeat_n(0.0, gap));
        }
        out.extend(left.by_ref().take(span.length as usize));
    }
    out
}
