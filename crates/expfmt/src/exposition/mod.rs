//! Whole expositions, whatever they are written in, as one stream of samples.
//!
//! [`read`] walks a body and hands a [`Sink`] what a scrape stores: metadata, floats, native histograms,
//! with timestamps, start timestamps and exemplars. `text` drives the line parser, `created` finds what
//! OpenMetrics says in `_created` lines, `classic` makes histograms with custom buckets of classic ones,
//! `protobuf` reads `io.prometheus.client.MetricFamily` messages straight from the bytes.
//!
//! Every sample has a *key*: bytes that mean the same series each time the target exposes them. Labels are
//! decoded on demand, so a series known by its key costs no decoding.

mod classic;
mod created;
mod protobuf;
#[cfg(test)]
mod tests;
mod text;

use model::{Exemplar, MetricType, TimestampMs, Value};

use crate::parse::{Dialect, Pairs, ParseError, RawExemplar, Series};

/// What a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Text(Dialect),
    /// Delimited messages.
    Protobuf,
}

/// What a reader does beyond plain reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Take native histograms; otherwise their classic half.
    pub native_histograms: bool,
    /// Make native histograms with custom buckets of classic ones.
    pub convert_classic: bool,
    /// Give the classic series of a histogram beside its native form.
    pub keep_classic: bool,
    /// Say since when counters count; `_created` lines are then no series of their own.
    pub start_times: bool,
}

/// Receives an exposition. An error ends the reading and is returned by [`read`].
pub trait Sink {
    fn kind(&mut self, family: &str, kind: MetricType);
    fn help(&mut self, family: &str, text: &str);
    fn unit(&mut self, family: &str, unit: &str);
    fn sample(&mut self, sample: Sample<'_>) -> Result<(), ParseError>;

    /// The key the next sample probably has, if it is a line of text. Targets expose their series in the same
    /// order each time; a line that begins as expected need not be searched for the end of its labels.
    fn expected_key(&self) -> &[u8] {
        &[]
    }

    /// The length of metadata lines at the start of `rest` that are known already, and the type they leave
    /// in force. Only asked where a line begins with `#`.
    fn known_metadata(&mut self, rest: &[u8]) -> Option<(usize, MetricType)> {
        let _ = rest;
        None
    }

    /// One line of metadata or comment was read, and `kind` is in force after it.
    fn metadata_line(&mut self, line: &[u8], kind: MetricType) {
        let _ = (line, kind);
    }
}

/// One sample.
pub struct Sample<'a> {
    /// Identifies the series among those of the target.
    pub key: &'a [u8],
    /// The key is the one the sink expected.
    pub is_expected: bool,
    pub value: Value,
    pub timestamp: Option<TimestampMs>,
    /// Since when the value counts, if the target says so.
    pub start: Option<TimestampMs>,
    labels: LabelSource<'a>,
    exemplars: ExemplarSource<'a>,
}

enum LabelSource<'a> {
    Text(&'a Series<'a>),
    Decoded(&'a [(String, String)]),
    Protobuf(&'a protobuf::MetricLabels<'a>),
}

enum ExemplarSource<'a> {
    None,
    Text(&'a RawExemplar<'a>),
    Decoded(&'a [Exemplar]),
}

impl Sample<'_> {
    /// Decodes and checks name and labels, the metric name first.
    pub fn pairs(&self) -> Result<Pairs<'_>, ParseError> {
        match &self.labels {
            LabelSource::Text(series) => series.pairs(),
            LabelSource::Decoded(pairs) => {
                Ok(pairs.iter().map(|(n, v)| (n.as_str().into(), v.as_str().into())).collect())
            }
            LabelSource::Protobuf(labels) => labels.pairs(),
        }
    }

    pub fn has_exemplars(&self) -> bool {
        !matches!(self.exemplars, ExemplarSource::None | ExemplarSource::Decoded([]))
    }

    /// The sample's exemplars, oldest first. Those of a native histogram all have a timestamp: without one
    /// a new exemplar could not be told from one seen before.
    pub fn exemplars(&self) -> Vec<Exemplar> {
        let mut all = match self.exemplars {
            ExemplarSource::None => Vec::new(),
            ExemplarSource::Text(raw) => vec![raw.decode()],
            ExemplarSource::Decoded(decoded) => decoded.to_vec(),
        };
        if matches!(self.value, Value::Histogram(_)) {
            all.retain(|exemplar| exemplar.timestamp.is_some());
        }
        all.sort_by_key(|exemplar| exemplar.timestamp);
        all
    }
}

/// Reads a whole body into `sink`.
pub fn read<S: Sink>(
    body: &[u8],
    encoding: Encoding,
    options: Options,
    sink: &mut S,
) -> Result<(), ParseError> {
    match encoding {
        Encoding::Text(dialect) => text::read(body, dialect, options, sink),
        Encoding::Protobuf => protobuf::read(body, options, sink),
    }
}
