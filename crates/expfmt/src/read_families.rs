//! Reading a whole text 0.0.4 document into families, with the strictness and the error texts of the
//! originals that collect families (push gateway, textfile collector) rather than stream samples.
//!
//! Samples of histograms and summaries are folded into one metric per label set. Label pairs keep the
//! order they were written in, empty values included. Duplicate metrics are left for the caller to judge.

use std::collections::HashMap;
use std::fmt;

use model::MetricType;

use crate::family::{Bucket, Family, LabelPairs, Metric, MetricValue, Quantile};
use crate::parse::number::{parse_float, parse_int, quote};

#[cfg(test)]
mod tests;

/// Where a document breaks the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    pub line: usize,
    pub message: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text format parsing error in line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for TextError {}

/// All families that have metrics, in the order of their first mention.
pub fn read_families(body: &[u8]) -> Result<Vec<Family<LabelPairs>>, TextError> {
    let mut reader = Reader { body, at: 0, line: 0, families: Vec::new(), by_name: HashMap::new() };
    reader.document().map_err(|message| TextError { line: reader.line, message })?;
    let finished = reader.families.into_iter().filter(|f| !f.family.metrics.is_empty());
    Ok(finished.map(|open| open.family).collect())
}

/// A family while its lines come in.
struct OpenFamily {
    family: Family<LabelPairs>,
    typed: bool,
    helped: bool,
    /// Histograms and summaries: position of the metric with these sorted labels.
    by_labels: HashMap<LabelPairs, usize>,
}

/// Which part of a histogram or summary a line carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Plain,
    Count,
    Sum,
}

struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    line: usize,
    families: Vec<OpenFamily>,
    by_name: HashMap<String, usize>,
}

/// Every line, the last one too, must end with a line break.
const CUT_SHORT: &str = "unexpected end of input stream";

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<(), String> {
        loop {
            self.line += 1;
            self.skip_blanks();
            match self.body.get(self.at) {
                None => return Ok(()),
                Some(b'\n') => self.at += 1,
                Some(b'#') => self.comment()?,
                Some(_) => self.sample()?,
            }
        }
    }

    fn comment(&mut self) -> Result<(), String> {
        self.at += 1;
        self.skip_blanks();
        let keyword = self.word()?;
        if !matches!(keyword, b"HELP" | b"TYPE") || self.peek()? == b'\n' {
            return self.rest_of_line().map(|_| ());
        }
        self.skip_blanks();
        let name = self.name("metric name", |b| b == b':')?;
        if self.peek()? == b'\n' {
            self.at += 1;
            return Ok(());
        }
        if !matches!(self.peek()?, b' ' | b'\t') {
            return Err("invalid metric name in comment".into());
        }
        let (at, _) = self.family(&name);
        self.skip_blanks();
        if self.peek()? == b'\n' {
            self.at += 1;
            return Ok(());
        }
        if keyword == b"HELP" { self.help(at, &name) } else { self.kind(at, &name) }
    }

    fn help(&mut self, at: usize, name: &str) -> Result<(), String> {
        if self.families[at].helped {
            return Err(format!("second HELP line for metric name {}", quote(name.as_bytes())));
        }
        let mut text = Vec::new();
        loop {
            match self.take()? {
                b'\n' => break,
                b'\\' => text.push(self.escape()?),
                b => text.push(b),
            }
        }
        self.families[at].helped = true;
        self.families[at].family.help = String::from_utf8_lossy(&text).into_owned();
        Ok(())
    }

    fn kind(&mut self, at: usize, name: &str) -> Result<(), String> {
        if self.families[at].typed {
            let name = quote(name.as_bytes());
            return Err(format!("second TYPE line for metric name {name}, or TYPE reported after samples"));
        }
        let word = self.rest_of_line()?;
        let kind = match word.to_ascii_lowercase().as_slice() {
            b"counter" => MetricType::Counter,
            b"gauge" => MetricType::Gauge,
            b"summary" => MetricType::Summary,
            b"untyped" => MetricType::Unknown,
            b"histogram" => MetricType::Histogram,
            _ => return Err(format!("unknown metric type {}", quote(word))),
        };
        self.families[at].typed = true;
        self.families[at].family.kind = kind;
        Ok(())
    }

    fn sample(&mut self) -> Result<(), String> {
        let mut target = None;
        if self.peek()? != b'{' {
            let name = self.name("metric name", |b| b == b':')?;
            if name.is_empty() {
                return Err("invalid metric name".into());
            }
            target = Some(self.family(&name));
            self.skip_blanks();
        }
        let mut labels = LabelPairs::new();
        let mut bound = f64::NAN;
        if self.peek()? == b'{' {
            self.at += 1;
            self.labels(&mut target, &mut labels, &mut bound)?;
            self.skip_blanks();
        }
        let Some((at, part)) = target else { return Err("invalid metric name".into()) };
        let word = self.word()?;
        let value = parse_float(word).map_err(|_| format!("expected float as value, got {}", quote(word)))?;
        let mut timestamp = None;
        if self.take()? != b'\n' {
            self.skip_blanks();
            let word = self.word()?;
            let ms =
                parse_int(word).map_err(|_| format!("expected integer as timestamp, got {}", quote(word)))?;
            timestamp = Some(ms);
            let rest = self.rest_of_line()?;
            if !rest.is_empty() {
                return Err(format!("spurious string after timestamp: {}", quote(rest)));
            }
        }
        self.families[at].typed = true;
        self.families[at].add(labels, part, bound, value, timestamp);
        Ok(())
    }

    /// The inside of braces and the closing one. A lone quoted string names the metric.
    fn labels(
        &mut self,
        target: &mut Option<(usize, Part)>,
        labels: &mut LabelPairs,
        bound: &mut f64,
    ) -> Result<(), String> {
        loop {
            self.skip_blanks();
            if self.peek()? == b'}' {
                self.at += 1;
                return Ok(());
            }
            let metric = |target: &Option<(usize, Part)>, reader: &Self| {
                let name = target.map_or("", |(at, _)| reader.families[at].family.name.as_str());
                quote(name.as_bytes())
            };
            let name = self.name("label name", |_| false)?;
            if name.is_empty() {
                return Err(format!("invalid label name for metric {}", metric(target, self)));
            }
            self.skip_blanks();
            let found = self.peek()?;
            if found != b'=' {
                if target.is_some() {
                    return Err(format!("expected '=' after label name, found {}", quote_char(found)));
                }
                if !matches!(found, b',' | b'}') {
                    return Err(format!("unexpected end of metric value {}", quote_char(found)));
                }
                *target = Some(self.family(&name));
                self.at += usize::from(found == b',');
                continue;
            }
            self.at += 1;
            if name == model::METRIC_NAME {
                return Err(format!("label name {} is reserved", quote(name.as_bytes())));
            }
            let kind = target.map(|(at, _)| self.families[at].family.kind);
            let special = match kind {
                Some(MetricType::Summary) => name == "quantile",
                Some(MetricType::Histogram) => name == "le",
                _ => false,
            };
            if !special && labels.iter().any(|(known, _)| *known == name) {
                return Err(format!("duplicate label names for metric {}", metric(target, self)));
            }
            let value = self.label_value()?;
            self.skip_blanks();
            let found = self.peek()?;
            if special {
                *bound = parse_float(value.as_bytes()).map_err(|_| {
                    format!("expected float as value for '{name}' label, got {}", quote(value.as_bytes()))
                })?;
            }
            match found {
                b',' => self.at += 1,
                b'}' => {}
                _ => return Err(format!("unexpected end of label value {}", quote(value.as_bytes()))),
            }
            if !special {
                labels.push((name, value));
            }
        }
    }

    fn label_value(&mut self) -> Result<String, String> {
        self.skip_blanks();
        let found = self.take()?;
        if found != b'"' {
            return Err(format!("expected '\"' at start of label value, found {}", quote_char(found)));
        }
        let mut text = Vec::new();
        loop {
            match self.take()? {
                b'"' => break,
                b'\\' => text.push(self.escape()?),
                b'\n' => {
                    return Err(format!("label value {} contains unescaped new-line", quote(&text)));
                }
                b => text.push(b),
            }
        }
        String::from_utf8(text).map_err(|e| format!("invalid label value {}", quote(e.as_bytes())))
    }

    /// A bare or quoted name; empty when there is none. `extra` widens the classic alphabet.
    fn name(&mut self, what: &str, extra: impl Fn(u8) -> bool) -> Result<String, String> {
        let mut text = Vec::new();
        if self.peek()? == b'"' {
            self.at += 1;
            loop {
                match self.take()? {
                    b'"' => break,
                    b'\\' => text.push(self.escape()?),
                    b'\n' => return Err(format!("{what} {} contains unescaped new-line", quote(&text))),
                    b => text.push(b),
                }
            }
        } else {
            let letter = |b: u8| b == b'_' || b.is_ascii_alphabetic() || extra(b);
            if letter(self.peek()?) {
                text.extend_from_slice(self.span(|b| letter(b) || b.is_ascii_digit()));
                self.peek()?;
            }
        }
        String::from_utf8(text).map_err(|e| format!("invalid {what} {}", quote(e.as_bytes())))
    }

    /// The family a name belongs to: its own, or the histogram or summary it is a part of.
    fn family(&mut self, name: &str) -> (usize, Part) {
        if let Some(at) = self.by_name.get(name) {
            return (*at, Part::Plain);
        }
        for (suffix, part) in [("_count", Part::Count), ("_sum", Part::Sum), ("_bucket", Part::Plain)] {
            let Some(base) = name.strip_suffix(suffix).filter(|base| !base.is_empty()) else { continue };
            let Some(at) = self.by_name.get(base).copied() else { continue };
            match self.families[at].family.kind {
                MetricType::Histogram => return (at, part),
                MetricType::Summary if suffix != "_bucket" => return (at, part),
                _ => {}
            }
        }
        let at = self.families.len();
        self.by_name.insert(name.to_owned(), at);
        let (name, help, unit) = (name.to_owned(), String::new(), String::new());
        let family = Family { name, help, unit, kind: MetricType::Unknown, metrics: Vec::new() };
        self.families.push(OpenFamily { family, typed: false, helped: false, by_labels: HashMap::new() });
        (at, Part::Plain)
    }

    fn escape(&mut self) -> Result<u8, String> {
        match self.take()? {
            b'n' => Ok(b'\n'),
            b @ (b'\\' | b'"') => Ok(b),
            b => Err(format!("invalid escape sequence '\\{}'", char::from(b))),
        }
    }

    fn peek(&self) -> Result<u8, String> {
        self.body.get(self.at).copied().ok_or_else(|| CUT_SHORT.to_owned())
    }

    fn take(&mut self) -> Result<u8, String> {
        let b = self.peek()?;
        self.at += 1;
        Ok(b)
    }

    fn skip_blanks(&mut self) {
        self.span(|b| matches!(b, b' ' | b'\t'));
    }

    /// Bytes up to the next blank or line break, which the input must have.
    fn word(&mut self) -> Result<&'a [u8], String> {
        let word = self.span(|b| !matches!(b, b' ' | b'\t' | b'\n'));
        self.peek()?;
        Ok(word)
    }

    /// Bytes up to the line break, which is consumed.
    fn rest_of_line(&mut self) -> Result<&'a [u8], String> {
        let rest = self.span(|b| b != b'\n');
        self.take()?;
        Ok(rest)
    }

    fn span(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|b| !accept(*b)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }
}

impl OpenFamily {
    fn add(&mut self, labels: LabelPairs, part: Part, bound: f64, value: f64, timestamp: Option<i64>) {
        let folded = matches!(self.family.kind, MetricType::Histogram | MetricType::Summary);
        if !folded {
            self.family.metrics.push(Metric { labels, value: MetricValue::Number(value), timestamp });
            return;
        }
        let mut key = labels.clone();
        key.sort();
        let metrics = &mut self.family.metrics;
        let kind = self.family.kind;
        let at = *self.by_labels.entry(key).or_insert_with(|| {
            metrics.push(Metric { labels, value: empty(kind), timestamp: None });
            metrics.len() - 1
        });
        let Some(metric) = metrics.get_mut(at) else { return };
        metric.timestamp = timestamp.or(metric.timestamp);
        // Counts are whole numbers in this format's data model.
        let whole = (value as u64) as f64;
        match (&mut metric.value, part) {
            (MetricValue::Histogram { count, .. } | MetricValue::Summary { count, .. }, Part::Count) => {
                *count = whole;
            }
            (MetricValue::Histogram { sum, .. } | MetricValue::Summary { sum, .. }, Part::Sum) => {
                *sum = value;
            }
            (MetricValue::Histogram { buckets, .. }, Part::Plain) if !bound.is_nan() => {
                buckets.push(Bucket { upper_bound: bound, cumulative_count: whole, exemplar: None });
            }
            (MetricValue::Summary { quantiles, .. }, Part::Plain) if !bound.is_nan() => {
                quantiles.push(Quantile { quantile: bound, value });
            }
            _ => {}
        }
    }
}

fn empty(kind: MetricType) -> MetricValue {
    if kind == MetricType::Histogram {
        MetricValue::Histogram { buckets: Vec::new(), sum: 0.0, count: 0.0 }
    } else {
        MetricValue::Summary { quantiles: Vec::new(), sum: 0.0, count: 0.0 }
    }
}

/// Go's `%q` of one byte.
fn quote_char(b: u8) -> String {
    match b {
        b'\n' => "'\\n'".into(),
        b'\t' => "'\\t'".into(),
        b'\r' => "'\\r'".into(),
        b'\'' => "'\\''".into(),
        b'\\' => "'\\\\'".into(),
        0x20..=0x7e | 0xa1.. => format!("'{}'", char::from(b)),
        b => format!("'\\x{b:02x}'"),
    }
}
