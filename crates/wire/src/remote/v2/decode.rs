//! Reads an `io.prometheus.write.v2.Request` in place; `encode` shows its shape.
//!
//! Two passes: the first collects the table of symbols, which a writer may put anywhere, the second walks
//! the series.

use std::fmt;

use model::{MetricType, TimestampMs};

use crate::protobuf::{ProtobufError, Reader};

type Result<T> = std::result::Result<T, ProtobufError>;

/// Symbols of one request; a table larger than this cannot be meant.
pub const SYMBOLS_MAX: usize = 4 << 20;

/// The strings of a request. What they point to need not be UTF-8.
#[derive(Debug, Clone, Default)]
pub struct Symbols<'a> {
    table: Vec<&'a [u8]>,
}

/// Why a reference into the table is no label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefError {
    /// Names without a value.
    OddLength(usize),
    Outside {
        name: u64,
        value: u64,
        size: usize,
    },
}

impl fmt::Display for RefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefError::OddLength(n) => write!(f, "invalid labelRefs length {n}"),
            RefError::Outside { name, value, size } => {
                write!(f, "labelRefs {name} (name) = {value} (value) outside of symbols table (size {size})")
            }
        }
    }
}

impl<'a> Symbols<'a> {
    fn read(message: &'a [u8]) -> Result<Symbols<'a>> {
        let (mut reader, mut table) = (Reader::new(message), Vec::new());
        while let Some(field) = reader.next_field()? {
            if field.number == 4 {
                if table.len() >= SYMBOLS_MAX {
                    return Err(ProtobufError::Overflow);
                }
                table.push(field.bytes()?);
            }
        }
        Ok(Symbols { table })
    }

    fn get(&self, reference: u64) -> Option<&'a [u8]> {
        self.table.get(usize::try_from(reference).ok()?).copied()
    }

    /// Shows each name with its value.
    pub fn each_label(
        &self,
        refs: &[u64],
        mut visit: impl FnMut(&'a [u8], &'a [u8]),
    ) -> std::result::Result<(), RefError> {
        let (pairs, rest) = refs.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(RefError::OddLength(refs.len()));
        }
        for &[name, value] in pairs {
            match (self.get(name), self.get(value)) {
                (Some(name), Some(value)) => visit(name, value),
                _ => return Err(RefError::Outside { name, value, size: self.table.len() }),
            }
        }
        Ok(())
    }
}

/// A request: its symbols and, one by one, its series.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub symbols: Symbols<'a>,
    reader: Reader<'a>,
}

impl<'a> Request<'a> {
    pub fn read(message: &'a [u8]) -> Result<Request<'a>> {
        Ok(Request { symbols: Symbols::read(message)?, reader: Reader::new(message) })
    }

    /// Replaces `series` by the next one; false at the end.
    pub fn next_series(&mut self, series: &mut Series<'a>) -> Result<bool> {
        while let Some(field) = self.reader.next_field()? {
            if field.number == 5 {
                series.read(field.bytes()?)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// One `TimeSeries`; used again for the next.
#[derive(Debug, Clone, Default)]
pub struct Series<'a> {
    pub label_refs: Vec<u64>,
    pub samples: Vec<Sample>,
    /// Messages for [`Histogram::read`](crate::remote::histogram::Histogram::read).
    pub histograms: Vec<&'a [u8]>,
    /// Messages for [`Exemplar::read`].
    pub exemplars: Vec<&'a [u8]>,
    pub metadata: Metadata,
    /// When counting began, as drafts of the protocol said it for the whole series.
    pub created: TimestampMs,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    pub t: TimestampMs,
    /// When counting began; zero when not said.
    pub start: TimestampMs,
    pub value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metadata {
    pub kind: MetricType,
    help: u64,
    unit: u64,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exemplar {
    pub label_refs: Vec<u64>,
    pub value: f64,
    pub t: TimestampMs,
}

impl<'a> Series<'a> {
    fn read(&mut self, message: &'a [u8]) -> Result<()> {
        self.label_refs.clear();
        self.samples.clear();
        self.histograms.clear();
        self.exemplars.clear();
        (self.metadata, self.created) = (Metadata::default(), 0);
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => field.each_varint(|n| self.label_refs.push(n))?,
                2 => self.samples.push(sample(field.bytes()?)?),
                3 => self.histograms.push(field.bytes()?),
                4 => self.exemplars.push(field.bytes()?),
                5 => self.metadata = metadata(field.bytes()?)?,
                6 => self.created = field.int64()?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn sample(message: &[u8]) -> Result<Sample> {
    let (mut reader, mut sample) = (Reader::new(message), Sample::default());
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => sample.value = field.double()?,
            2 => sample.t = field.int64()?,
            3 => sample.start = field.int64()?,
            _ => {}
        }
    }
    Ok(sample)
}

impl Exemplar {
    pub fn read(message: &[u8]) -> Result<Exemplar> {
        let (mut reader, mut exemplar) = (Reader::new(message), Exemplar::default());
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => field.each_varint(|n| exemplar.label_refs.push(n))?,
                2 => exemplar.value = field.double()?,
                3 => exemplar.t = field.int64()?,
                _ => {}
            }
        }
        Ok(exemplar)
    }
}

fn metadata(message: &[u8]) -> Result<Metadata> {
    let (mut reader, mut metadata) = (Reader::new(message), Metadata::default());
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => metadata.kind = metric_type(field.uint()?),
            3 => metadata.help = field.uint()?,
            4 => metadata.unit = field.uint()?,
            _ => {}
        }
    }
    Ok(metadata)
}

impl Metadata {
    /// The text; empty when the reference leads nowhere.
    pub fn unit<'a>(&self, symbols: &Symbols<'a>) -> &'a [u8] {
        symbols.get(self.unit).unwrap_or_default()
    }

    pub fn help<'a>(&self, symbols: &Symbols<'a>) -> &'a [u8] {
        symbols.get(self.help).unwrap_or_default()
    }

    pub fn is_empty(&self, symbols: &Symbols<'_>) -> bool {
        self.kind == MetricType::Unknown && self.unit(symbols).is_empty() && self.help(symbols).is_empty()
    }
}

fn metric_type(number: u64) -> MetricType {
    match number {
        1 => MetricType::Counter,
        2 => MetricType::Gauge,
        3 => MetricType::Histogram,
        4 => MetricType::GaugeHistogram,
        5 => MetricType::Summary,
        6 => MetricType::Info,
        7 => MetricType::StateSet,
        _ => MetricType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;
    use crate::remote::row::{Point, Row};
    use crate::remote::v2::encode;

    #[test]
    fn what_is_encoded_is_read() {
        let labels = Labels::from_pairs([("__name__", "m"), ("a", "b")]);
        let exemplar = model::Exemplar {
            labels: Labels::from_pairs([("trace_id", "x")]),
            value: 0.5,
            timestamp: Some(7),
        };
        let histogram = model::FloatHistogram { count: 2.0, ..Default::default() };
        let metadata = model::Metadata { kind: MetricType::Counter, help: "h".into(), unit: "s".into() };
        let row = |point| Row { labels: &labels, t: 9, start: 4, point, metadata: Some(&metadata) };
        let rows = [Point::Float(1.5), Point::Histogram(&histogram), Point::Exemplar(&exemplar)];
        let mut message = Vec::new();
        encode(rows.map(row), &mut message);

        let (mut request, mut series) = (Request::read(&message).unwrap(), Series::default());
        assert!(request.next_series(&mut series).unwrap());
        assert_eq!(series.samples, [Sample { t: 9, start: 4, value: 1.5 }]);
        assert_eq!(series.metadata.kind, MetricType::Counter);
        assert_eq!(
            (series.metadata.help(&request.symbols), series.metadata.unit(&request.symbols)),
            (&b"h"[..], &b"s"[..])
        );
        let mut read = Vec::new();
        request.symbols.each_label(&series.label_refs, |name, value| read.push((name, value))).unwrap();
        assert_eq!(read, [(&b"__name__"[..], &b"m"[..]), (b"a", b"b")]);
        assert!(request.next_series(&mut series).unwrap() && series.samples.is_empty());
        assert_eq!(series.histograms.len(), 1);
        assert!(request.next_series(&mut series).unwrap());
        let exemplar = Exemplar::read(series.exemplars[0]).unwrap();
        assert_eq!((exemplar.value, exemplar.t), (0.5, 7));
        assert!(!request.next_series(&mut series).unwrap());
        for end in 0..message.len() {
            let Ok(mut request) = Request::read(&message[..end]) else { continue };
            while request.next_series(&mut series).unwrap_or(false) {}
        }
    }

    #[test]
    fn references_are_checked() {
        let symbols = Symbols { table: vec![b"", b"a"] };
        let check = |refs: &[u64]| symbols.each_label(refs, |_, _| {}).map_err(|e| e.to_string());
        assert_eq!(check(&[1, 0]), Ok(()));
        assert_eq!(check(&[1, 0, 1]), Err("invalid labelRefs length 3".into()));
        let outside = "labelRefs 1 (name) = 999 (value) outside of symbols table (size 2)";
        assert_eq!(check(&[1, 999]), Err(outside.into()));
        assert!(check(&[u64::MAX, 0]).is_err());
    }
}
