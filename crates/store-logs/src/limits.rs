//! What a push may hold at most. Refusals name the limit.

use model::TimestampNs;
use storage::logs::StreamBatch;
use storage::{ErrorKind, StoreError};

use crate::error::limit;

/// The largest line: with the rest of its group it must fit into a page of the kernel.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 20;

/// Structured metadata of one entry, names and values.
pub(crate) const METADATA_BYTES_MAX: usize = 1 << 20;

/// Labels of one stream, names and values.
pub(crate) const STREAM_LABELS_BYTES_MAX: usize = 64 << 10;

/// One push is one log record, so this bounds it.
pub(crate) const PUSH_BYTES_MAX: usize = 128 << 20;

pub(crate) fn check(batches: &[StreamBatch]) -> Result<(), StoreError> {
    let mut total = 0;
    for batch in batches {
        let labels = batch.labels.as_packed().len();
        if labels > STREAM_LABELS_BYTES_MAX {
            let what = format!("a stream with {labels} bytes of labels");
            return Err(limit(what, "STREAM_LABELS_BYTES_MAX", STREAM_LABELS_BYTES_MAX));
        }
        total += labels;
        for entry in &batch.entries {
            let (line, metadata) = (entry.line.len(), entry.structured_metadata.as_packed().len());
            if line > LINE_BYTES_MAX {
                let what = format!("a line of {line} bytes in stream {}", batch.labels);
                return Err(limit(what, "LINE_BYTES_MAX", LINE_BYTES_MAX));
            }
            if metadata > METADATA_BYTES_MAX {
                let what = format!("{metadata} bytes of structured metadata in stream {}", batch.labels);
                return Err(limit(what, "METADATA_BYTES_MAX", METADATA_BYTES_MAX));
            }
            if entry.ts == TimestampNs::MAX {
                let message =
                    format!("an entry of stream {} at the end of time: no range reaches it", batch.labels);
                return Err(StoreError::new(ErrorKind::Invalid, message));
            }
            total += line + metadata;
        }
    }
    if total > PUSH_BYTES_MAX {
        return Err(limit(format!("a push of {total} bytes"), "PUSH_BYTES_MAX", PUSH_BYTES_MAX));
    }
    Ok(())
}
