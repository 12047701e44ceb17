//! A push as one log record.

use std::collections::HashMap;

use codec::{CodecError, Cursor, timestamps, u64s, write_bytes, write_uvarint};
use model::{Labels, LogEntry};
use storage::logs::StreamBatch;

const VERSION: u8 = 1;

/// A longer batch is written in pieces: columns have a limit of their own.
const ENTRIES_PER_PIECE: usize = 1 << 20;

pub(crate) fn encode(batches: &[StreamBatch]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for batch in batches {
        for entries in batch.entries.chunks(ENTRIES_PER_PIECE) {
            encode_piece(&batch.labels, entries, &mut out);
        }
    }
    out
}

fn encode_piece(labels: &Labels, entries: &[LogEntry], out: &mut Vec<u8>) {
    write_bytes(out, labels.as_packed());
    let times: Vec<i64> = entries.iter().map(|entry| entry.ts).collect();
    timestamps::encode(&times, out);
    let lengths: Vec<u64> = entries.iter().map(|entry| entry.line.len() as u64).collect();
    u64s::encode(&lengths, out);
    let mut numbers: HashMap<&Labels, u64> = HashMap::new();
    let mut distinct: Vec<&Labels> = Vec::new();
    let mut codes = Vec::with_capacity(entries.len());
    for entry in entries {
        let code = numbers.entry(&entry.structured_metadata).or_insert_with(|| {
            distinct.push(&entry.structured_metadata);
            distinct.len() as u64 - 1
        });
        codes.push(*code);
    }
    write_uvarint(out, distinct.len() as u64);
    distinct.iter().for_each(|set| write_bytes(out, set.as_packed()));
    u64s::encode(&codes, out);
    write_uvarint(out, lengths.iter().sum());
    entries.iter().for_each(|entry| out.extend_from_slice(entry.line.as_bytes()));
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<StreamBatch>, CodecError> {
    let mut cursor = Cursor::new(bytes);
    if cursor.u8()? != VERSION {
        return Err(CodecError("log record: unknown version"));
    }
    let mut batches = Vec::new();
    while !cursor.is_empty() {
        batches.push(decode_piece(&mut cursor)?);
    }
    Ok(batches)
}

fn decode_piece(cursor: &mut Cursor<'_>) -> Result<StreamBatch, CodecError> {
    let labels = read_labels(cursor)?;
    let (mut times, mut lengths, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    timestamps::decode(cursor, &mut times)?;
    u64s::decode(cursor, &mut lengths)?;
    let count = cursor.count(1)?;
    let distinct = (0..count).map(|_| read_labels(cursor)).collect::<Result<Vec<_>, _>>()?;
    u64s::decode(cursor, &mut codes)?;
    if lengths.len() != times.len() || codes.len() != times.len() {
        return Err(CodecError("log record: columns differ in length"));
    }
    let mut text = Cursor::new(cursor.bytes()?);
    let mut entries = Vec::with_capacity(times.len());
    for ((ts, length), code) in times.into_iter().zip(lengths).zip(codes) {
        let length = usize::try_from(length).map_err(|_| CodecError("log record: line length"))?;
        let line =
            std::str::from_utf8(text.take(length)?).map_err(|_| CodecError("log record: not UTF-8"))?;
        let set = usize::try_from(code).ok().and_then(|code| distinct.get(code));
        let structured_metadata = set.ok_or(CodecError("log record: unknown metadata"))?.clone();
        entries.push(LogEntry { ts, line: line.to_string(), structured_metadata });
    }
    text.finish()?;
    Ok(StreamBatch { labels, entries })
}

pub(crate) fn read_labels(cursor: &mut Cursor<'_>) -> Result<Labels, CodecError> {
    Labels::from_packed(cursor.bytes()?).map_err(|_| CodecError("not a label set"))
}
