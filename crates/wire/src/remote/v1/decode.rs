//! Reads a `prometheus.WriteRequest` in place:
//!
//! ```text
//! WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3 }
//! TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2;
//!                repeated Exemplar exemplars = 3; repeated Histogram histograms = 4 }
//! Label        { string name = 1; string value = 2 }
//! Sample       { double value = 1; int64 timestamp = 2 }
//! Exemplar     { repeated Label labels = 1; double value = 2; int64 timestamp = 3 }
//! ```
//!
//! A receiver sees the same label sets in every request, byte by byte. So a series offers its labels as
//! one run of raw bytes to look up by, and a comparison with a packed label set that copies nothing.

use model::TimestampMs;

use crate::protobuf::{ProtobufError, Reader};

type Result<T> = std::result::Result<T, ProtobufError>;

/// Keys of length-delimited fields 1 and 2.
const KEY_1: u8 = 0x0a;
const KEY_2: u8 = 0x12;

/// The series of one request, in order. Metadata, which the protocol's receivers ignore, is skipped.
#[derive(Debug, Clone)]
pub struct WriteRequest<'a> {
    reader: Reader<'a>,
}

impl<'a> WriteRequest<'a> {
    pub fn new(message: &'a [u8]) -> WriteRequest<'a> {
        WriteRequest { reader: Reader::new(message) }
    }

    /// The next series; `None` at the end.
    #[inline]
    pub fn next_series(&mut self) -> Result<Option<Series<'a>>> {
        loop {
            if let Some(message) = self.reader.take_if(KEY_1)? {
                return Series::read(message).map(Some);
            }
            match self.reader.next_field()? {
                None => return Ok(None),
                Some(field) if field.number == 1 => return Series::read(field.bytes()?).map(Some),
                Some(_) => {}
            }
        }
    }
}

/// One `TimeSeries`.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    message: &'a [u8],
    /// The leading run of labels.
    run: &'a [u8],
    /// Whether labels also come after other fields, which no writer known to us does.
    scattered: bool,
}

/// What a series holds beside its labels.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    Sample {
        t: TimestampMs,
        value: f64,
    },
    Exemplar(Exemplar<'a>),
    /// A message for [`Histogram::read`](crate::remote::histogram::Histogram::read).
    Histogram(&'a [u8]),
}

impl<'a> Series<'a> {
    fn read(message: &'a [u8]) -> Result<Series<'a>> {
        let mut reader = Reader::new(message);
        while reader.take_if(KEY_1)?.is_some() {}
        let run = message.get(..message.len() - reader.rest().len()).unwrap_or_default();
        let mut scattered = false;
        while let Some(field) = reader.next_field()? {
            scattered |= field.number == 1;
        }
        Ok(Series { message, run, scattered })
    }

    /// The labels as the message has them, to look a series up by; `None` when they are not one run.
    #[inline]
    pub fn run(&self) -> Option<&'a [u8]> {
        if self.scattered { None } else { Some(self.run) }
    }

    pub fn labels(&self) -> Labels<'a> {
        Labels { reader: Reader::new(self.message) }
    }

    /// Whether the labels are exactly those of a packed set (see [`model::Labels::as_packed`]). Labels that
    /// a writer has left unsorted never are.
    #[inline]
    pub fn has_labels(&self, packed: &[u8]) -> bool {
        !self.scattered && run_is(self.run, packed).unwrap_or(false)
    }

    /// Samples, exemplars and histograms in the order of the message.
    pub fn items(&self) -> Items<'a> {
        // With scattered labels the run is no place to start from, but labels are passed over anyway.
        Items { reader: Reader::new(self.message.get(self.run.len()..).unwrap_or_default()) }
    }
}

/// Compares piece by piece: in both forms a string's length stands before it, in the same encoding.
#[inline]
fn run_is(run: &[u8], mut packed: &[u8]) -> Option<bool> {
    let mut run = Reader::new(run);
    while !run.is_empty() {
        let label = run.take_if(KEY_1).ok()??;
        let (key, inner) = label.split_first()?;
        let mut reader = Reader::new(inner);
        if *key != KEY_1 {
            return None;
        }
        let name_len = usize::try_from(reader.varint().ok()?).ok()?;
        let name = inner.get(..(inner.len() - reader.rest().len()).checked_add(name_len)?)?;
        let (key, value) = inner.get(name.len()..)?.split_first()?;
        if *key != KEY_2 {
            return None;
        }
        packed = packed.strip_prefix(name)?.strip_prefix(value)?;
    }
    Some(packed.is_empty())
}

/// Labels in the order of the message.
#[derive(Debug, Clone)]
pub struct Labels<'a> {
    reader: Reader<'a>,
}

/// A label as sent; whether it is text has not been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabelPair<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
}

impl<'a> Labels<'a> {
    pub fn next_pair(&mut self) -> Result<Option<LabelPair<'a>>> {
        while let Some(field) = self.reader.next_field()? {
            if field.number == 1 {
                return LabelPair::read(field.bytes()?).map(Some);
            }
        }
        Ok(None)
    }
}

impl<'a> LabelPair<'a> {
    pub fn read(message: &'a [u8]) -> Result<LabelPair<'a>> {
        let (mut reader, mut pair) = (Reader::new(message), LabelPair::default());
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => pair.name = field.bytes()?,
                2 => pair.value = field.bytes()?,
                _ => {}
            }
        }
        Ok(pair)
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Exemplar<'a> {
    message: &'a [u8],
    pub value: f64,
    pub t: TimestampMs,
}

impl<'a> Exemplar<'a> {
    fn read(message: &'a [u8]) -> Result<Exemplar<'a>> {
        let (mut reader, mut exemplar) = (Reader::new(message), Exemplar { message, value: 0.0, t: 0 });
        while let Some(field) = reader.next_field()? {
            match field.number {
                2 => exemplar.value = field.double()?,
                3 => exemplar.t = field.int64()?,
                _ => {}
            }
        }
        Ok(exemplar)
    }

    pub fn labels(&self) -> Labels<'a> {
        Labels { reader: Reader::new(self.message) }
    }
}

#[derive(Debug, Clone)]
pub struct Items<'a> {
    reader: Reader<'a>,
}

impl<'a> Items<'a> {
    #[inline]
    pub fn next_item(&mut self) -> Result<Option<Item<'a>>> {
        while let Some(field) = self.reader.next_field()? {
            match field.number {
                2 => return sample(field.bytes()?).map(Some),
                3 => return Ok(Some(Item::Exemplar(Exemplar::read(field.bytes()?)?))),
                4 => return Ok(Some(Item::Histogram(field.bytes()?))),
                _ => {}
            }
        }
        Ok(None)
    }
}

#[inline]
fn sample(message: &[u8]) -> Result<Item<'_>> {
    let (mut reader, mut t, mut value) = (Reader::new(message), 0, 0.0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => value = field.double()?,
            2 => t = field.int64()?,
            _ => {}
        }
    }
    Ok(Item::Sample { t, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
    }

    fn label(name: &str, value: &str) -> Vec<u8> {
        field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat())
    }

    fn sample_of(t: u8, value: f64) -> Vec<u8> {
        field(2, &[&[0x09][..], &value.to_le_bytes(), &[0x10, t]].concat())
    }

    #[test]
    fn a_request_is_read_in_place() {
        let series = field(1, &[label("__name__", "up"), label("job", "a"), sample_of(7, 1.5)].concat());
        let message = [series, field(3, b"metadata"), field(1, &label("x", "y"))].concat();
        let mut request = WriteRequest::new(&message);
        let first = request.next_series().unwrap().unwrap();
        let packed = model::Labels::from_pairs([("__name__", "up"), ("job", "a")]);
        assert!(first.run().is_some() && first.has_labels(packed.as_packed()));
        let others = [("__name__", "up"), ("job", "b")];
        assert!(!first.has_labels(model::Labels::from_pairs(others).as_packed()));
        assert!(!first.has_labels(model::Labels::from_pairs([others[0]]).as_packed()));
        let more = model::Labels::from_pairs([("__name__", "up"), ("job", "a"), ("z", "1")]);
        assert!(!first.has_labels(more.as_packed()));
        let mut items = first.items();
        assert!(matches!(items.next_item().unwrap(), Some(Item::Sample { t: 7, value: 1.5 })));
        assert!(items.next_item().unwrap().is_none());
        let second = request.next_series().unwrap().unwrap();
        let mut labels = second.labels();
        assert_eq!(labels.next_pair().unwrap(), Some(LabelPair { name: b"x", value: b"y" }));
        assert_eq!(labels.next_pair().unwrap(), None);
        assert!(request.next_series().unwrap().is_none());
    }

    #[test]
    fn scattered_labels_are_found_all_the_same() {
        let series = field(1, &[label("a", "1"), sample_of(7, 1.0), label("b", "2")].concat());
        let series = WriteRequest::new(&series).next_series().unwrap().unwrap();
        assert!(series.run().is_none());
        assert!(!series.has_labels(model::Labels::from_pairs([("a", "1")]).as_packed()));
        let (mut labels, mut names) = (series.labels(), Vec::new());
        while let Some(pair) = labels.next_pair().unwrap() {
            names.push(pair.name);
        }
        assert_eq!(names, [b"a", b"b"]);
        assert!(matches!(series.items().next_item().unwrap(), Some(Item::Sample { t: 7, .. })));
    }

    #[test]
    fn every_cut_is_an_error_or_a_shorter_request() {
        let message = field(1, &[label("__name__", "up"), sample_of(7, 1.5)].concat());
        for end in 1..message.len() {
            let mut request = WriteRequest::new(&message[..end]);
            assert!(request.next_series().is_err(), "{end}");
        }
    }
}
