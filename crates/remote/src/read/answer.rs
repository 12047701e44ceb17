//! What remotes answer: whole series of samples, or frames of chunks.

use std::sync::Arc;

use blocks::chunk::{self, Encoding};
use model::{Labels, LabelsBuilder};
use storage::metrics::SampleColumns;
use wire::protobuf::{ProtobufError, Reader};
use wire::remote::histogram::Histogram;
use wire::remote::snappy;
use wire::remote::v1::{Item, LabelPair, WriteRequest};

/// An answer in one piece, unpacked.
const PLAIN_BYTES_MAX: usize = 1 << 30;

/// All samples of an answer together.
const SAMPLES_MAX: usize = 50_000_000;

/// Length and checksum before a frame's message.
const FRAME_HEAD_BYTES_MAX: usize = 10 + 4;

/// One series of a remote.
#[derive(Debug, Clone, Default)]
pub struct RemoteSeries {
    pub labels: Labels,
    pub columns: SampleColumns,
}

/// Collects the series of one answer.
#[derive(Default)]
pub struct Answer {
    series: Vec<RemoteSeries>,
    samples: usize,
}

fn malformed(e: ProtobufError) -> String {
    format!("unable to unmarshal response body: {e}")
}

impl Answer {
    /// Reads a compressed `ReadResponse` to one query.
    pub fn samples(&mut self, body: &[u8]) -> Result<(), String> {
        let mut buffer = Vec::new();
        let plain = snappy::decompress(body, &mut buffer, PLAIN_BYTES_MAX)
            .map_err(|e| format!("error reading response: {e}"))?;
        let (mut reader, mut results) = (Reader::new(plain), 0);
        while let Some(field) = reader.next_field().map_err(malformed)? {
            if field.number == 1 {
                results += 1;
                let mut series = WriteRequest::new(field.bytes().map_err(malformed)?);
                while let Some(one) = series.next_series().map_err(malformed)? {
                    let mut labels = LabelsBuilder::default();
                    let mut pairs = one.labels();
                    while let Some(pair) = pairs.next_pair().map_err(malformed)? {
                        set_label(&mut labels, pair)?;
                    }
                    let mut columns = SampleColumns::default();
                    let mut items = one.items();
                    while let Some(item) = items.next_item().map_err(malformed)? {
                        match item {
                            Item::Sample { t, value } => {
                                columns.float_times.push(t);
                                columns.floats.push(value);
                            }
                            Item::Histogram(message) => {
                                let histogram = Histogram::read(message).map_err(malformed)?;
                                columns.histograms.push((histogram.t, Arc::new(histogram.value)));
                            }
                            Item::Exemplar(_) => {}
                        }
                    }
                    self.add(labels.build(), columns)?;
                }
            }
        }
        if results == 1 { Ok(()) } else { Err(format!("responses: want 1, got {results}")) }
    }

    /// Reads a `ChunkedReadResponse`.
    pub fn chunks(&mut self, message: &[u8]) -> Result<(), String> {
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field().map_err(malformed)? {
            if field.number == 1 {
                self.chunked_series(field.bytes().map_err(malformed)?)?;
            }
        }
        Ok(())
    }

    fn chunked_series(&mut self, message: &[u8]) -> Result<(), String> {
        let (mut labels, mut columns) = (LabelsBuilder::default(), SampleColumns::default());
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field().map_err(malformed)? {
            match field.number {
                1 => {
                    let pair = LabelPair::read(field.bytes().map_err(malformed)?).map_err(malformed)?;
                    set_label(&mut labels, pair)?;
                }
                2 => {
                    let (mut encoding, mut data) = (0, &[][..]);
                    let mut chunk = Reader::new(field.bytes().map_err(malformed)?);
                    while let Some(field) = chunk.next_field().map_err(malformed)? {
                        match field.number {
                            3 => encoding = field.uint().map_err(malformed)?,
                            4 => data = field.bytes().map_err(malformed)?,
                            _ => {}
                        }
                    }
                    let encoding = u8::try_from(encoding).unwrap_or(u8::MAX);
                    let encoding = Encoding::from_byte(encoding).map_err(|e| e.to_string())?;
                    chunk::decode(encoding, data, &mut columns).map_err(|e| e.to_string())?;
                }
                _ => {}
            }
        }
        self.add(labels.build(), columns)
    }

    fn add(&mut self, labels: Labels, columns: SampleColumns) -> Result<(), String> {
        self.samples += columns.len();
        if self.samples > SAMPLES_MAX {
            return Err(format!("the answer exceeds the limit of {SAMPLES_MAX} samples"));
        }
        match self.series.last_mut() {
            // A series may come in several frames.
            Some(last) if last.labels == labels => {
                last.columns.float_times.extend(columns.float_times);
                last.columns.floats.extend(columns.floats);
                last.columns.histograms.extend(columns.histograms);
                last.columns.start_times.extend(columns.start_times);
            }
            _ => self.series.push(RemoteSeries { labels, columns }),
        }
        Ok(())
    }

    pub fn finish(self) -> Vec<RemoteSeries> {
        self.series
    }
}

fn set_label(labels: &mut LabelsBuilder, pair: LabelPair<'_>) -> Result<(), String> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| "a label is not valid UTF-8".to_owned());
    labels.set(text(pair.name)?, text(pair.value)?);
    Ok(())
}

/// Takes a stream apart.
pub struct Frames {
    bytes: Vec<u8>,
    at: usize,
    max: u64,
}

impl Frames {
    pub fn new(max: u64) -> Frames {
        Frames { bytes: Vec::new(), at: 0, max }
    }

    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.at));
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole message; `None` until more has come.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut reader = Reader::new(rest);
        let length = match reader.varint() {
            Ok(length) => length,
            Err(ProtobufError::Truncated) if rest.len() < FRAME_HEAD_BYTES_MAX => return Ok(None),
            Err(e) => return Err(format!("frame: {e}")),
        };
        if length > self.max {
            return Err(format!("proto: message size exceeded the limit {length} > {} bytes", self.max));
        }
        let Some((crc, rest)) = reader.rest().split_first_chunk::<4>() else { return Ok(None) };
        let Some(message) = usize::try_from(length).ok().and_then(|length| rest.get(..length)) else {
            return Ok(None);
        };
        if crc32c::crc32c(message) != u32::from_be_bytes(*crc) {
            return Err("chunkedReader: corrupted frame; checksum mismatch".into());
        }
        let message = message.to_vec();
        self.at = self.bytes.len() - rest.len() + message.len();
        Ok(Some(message))
    }

    /// Fails when the stream ended within a frame.
    pub fn finish(&self) -> Result<(), String> {
        if self.at == self.bytes.len() { Ok(()) } else { Err("unexpected EOF".into()) }
    }
}
