//! Streaming parser of the text formats 0.0.4 and OpenMetrics 1.0, as lenient as Prometheus' own.
//!
//! Events borrow from the body and nothing is allocated for a sample: a scraper keeps a map from the raw
//! bytes of a series (`name{labels}` as written) to what it knows about it, so in the steady state a line
//! costs the search for its end, one number and one lookup. Only a series seen for the first time is
//! decoded, by [`Series::labels`]; its syntax is checked there.
//!
//! `lexer` and `grammar` are the careful path with the original's error texts, `number` parses values.

mod grammar;
mod lexer;
pub mod number;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use model::{Exemplar, Labels, MetricType, TimestampMs};

use lexer::{Lexer, is_metric_start};

/// Label pairs in the order written.
pub type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Which of the two grammars a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Prometheus text, any version.
    Text,
    /// OpenMetrics 0.0.1 and 1.0.0.
    OpenMetrics,
}

/// Why a body is refused; the text is the original's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError(pub String);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseError {}

#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    Help { name: Cow<'a, str>, text: Cow<'a, str> },
    Type { name: Cow<'a, str>, kind: MetricType },
    Unit { name: Cow<'a, str>, unit: Cow<'a, str> },
    Comment(&'a [u8]),
    Series(Series<'a>),
}

/// One sample line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<'a> {
    /// The series as written: `name{labels}`. The same bytes always mean the same labels.
    pub raw: &'a [u8],
    pub value: f64,
    pub timestamp: Option<TimestampMs>,
    pub exemplar: Option<RawExemplar<'a>>,
    dialect: Dialect,
    /// The type announced last, which decides how `le` and `quantile` are read.
    kind: MetricType,
}

/// An exemplar whose labels are not decoded yet.
#[derive(Debug, Clone, PartialEq)]
pub struct RawExemplar<'a> {
    labels: Pairs<'a>,
    pub value: f64,
    pub timestamp: Option<TimestampMs>,
}

impl RawExemplar<'_> {
    /// Characters of all names and values, which OpenMetrics limits.
    pub(crate) fn label_chars(&self) -> usize {
        self.labels.iter().map(|(n, v)| n.chars().count() + v.chars().count()).sum()
    }

    pub fn decode(&self) -> Exemplar {
        let pairs = self.labels.iter().map(|(n, v)| (n.as_ref(), v.as_ref()));
        Exemplar { labels: Labels::from_pairs(pairs), value: self.value, timestamp: self.timestamp }
    }
}

impl<'a> Series<'a> {
    /// [`Series::pairs`] without bringing `le` and `quantile` into canonical form.
    pub(crate) fn pairs_as_written(&self) -> Result<Pairs<'a>, ParseError> {
        grammar::series_pairs(self.raw, self.dialect)
    }

    /// Decodes and checks name and labels, in the order written, the metric name first.
    pub fn pairs(&self) -> Result<Pairs<'a>, ParseError> {
        let mut pairs = self.pairs_as_written()?;
        let bound = match self.kind {
            MetricType::Histogram => "le",
            MetricType::Summary => "quantile",
            _ => return Ok(pairs),
        };
        for (name, value) in &mut pairs {
            if name == bound
                && let Some(canonical) = number::canonical_bound(value)
            {
                *value = Cow::Owned(canonical);
            }
        }
        Ok(pairs)
    }
}

#[derive(Clone)]
pub struct Parser<'a> {
    body: &'a [u8],
    dialect: Dialect,
    lexer: Lexer<'a>,
    /// Start of the next line.
    at: usize,
    kind: MetricType,
    done: bool,
    was_expected: bool,
}

impl<'a> Parser<'a> {
    pub fn new(body: &'a [u8], dialect: Dialect) -> Parser<'a> {
        let lexer = Lexer::new(body, dialect);
        Parser { body, dialect, lexer, at: 0, kind: MetricType::Unknown, done: false, was_expected: false }
    }

    /// The next event, `None` at the end of a complete body. After an error the parser is finished.
    #[expect(clippy::should_implement_trait, reason = "a Result of Option reads better in loops with `?`")]
    pub fn next(&mut self) -> Result<Option<Event<'a>>, ParseError> {
        self.next_expecting(&[])
    }

    /// What is left to read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    /// Whether the sample just read began with the series expected.
    pub(crate) fn was_expected(&self) -> bool {
        self.was_expected
    }

    /// The type announced last.
    pub(crate) fn kind(&self) -> MetricType {
        self.kind
    }

    /// Passes over metadata the caller has seen before.
    pub(crate) fn skip_metadata(&mut self, length: usize, kind: MetricType) {
        self.at += length;
        self.kind = kind;
    }

    /// As [`Parser::next`]; `expected` is a series as written in an earlier body. A sample line that begins
    /// with it is not searched for the end of its labels.
    pub(crate) fn next_expecting(&mut self, expected: &[u8]) -> Result<Option<Event<'a>>, ParseError> {
        if self.done {
            return Ok(None);
        }
        self.was_expected = false;
        if let Some(series) = self.short_cut(expected) {
            return Ok(Some(Event::Series(series)));
        }
        let event = self.careful();
        match &event {
            Ok(Some(Event::Type { kind, .. })) => self.kind = *kind,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => self.done = true,
        }
        event
    }

    /// Recognises the plain sample line `name{labels} value [timestamp]` without looking into the labels.
    /// Whatever is not plain is left to the careful path, which starts over at the same place.
    fn short_cut(&mut self, expected: &[u8]) -> Option<Series<'a>> {
        let rest = self.body.get(self.at..)?;
        if !is_metric_start(*rest.first()?) {
            return None;
        }
        let is_expected = !expected.is_empty() && rest.starts_with(expected);
        let end = match is_expected {
            true => expected.len(),
            false => {
                let end = rest.iter().position(|b| !(is_metric_start(*b) || b.is_ascii_digit()))?;
                if rest[end] == b'{' { end_of_braces(rest, end + 1)? } else { end }
            }
        };
        let (raw, after) = rest.split_at(end);
        let after_blank = after.strip_prefix(b" ")?;
        // Values are short: a loop beats a vectorised search.
        let word = after_blank.iter().position(|b| matches!(b, b' ' | b'\n'))?;
        let value = number::parse_float(&after_blank[..word]).ok()?;
        let mut used = end + 1 + word + 1;
        let mut timestamp = None;
        if after_blank[word] == b' ' {
            let tail = &after_blank[word + 1..];
            let line = memchr::memchr(b'\n', tail)?;
            if self.dialect == Dialect::OpenMetrics {
                return None;
            }
            let digits = &tail[..line];
            if digits.is_empty() || !digits.iter().all(|b| b.is_ascii_digit()) {
                return None;
            }
            timestamp = Some(number::parse_int(digits).ok()?);
            used += line + 1;
        }
        self.at += used;
        self.was_expected = is_expected;
        Some(Series { raw, value, timestamp, exemplar: None, dialect: self.dialect, kind: self.kind })
    }
}

/// The index after the `}` that closes a label set whose first byte is at `at`.
fn end_of_braces(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        // Outside quotes: the next quote opens a value, a brace closes the set.
        at += memchr::memchr3(b'"', b'}', b'\n', line.get(at..)?)?;
        match line[at] {
            b'}' => return Some(at + 1),
            b'\n' => return None,
            _ => at += 1,
        }
        loop {
            at += memchr::memchr3(b'"', b'\\', b'\n', line.get(at..)?)?;
            match line[at] {
                b'"' => break,
                b'\\' => at += 2,
                _ => return None,
            }
        }
        at += 1;
    }
}
