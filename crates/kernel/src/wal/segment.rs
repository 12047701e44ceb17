//! The bytes of a segment: its header and the frames of its records.

use crate::bytesio::Fields;

const MAGIC: [u8; 8] = *b"cmWAL\0\0\x01";

/// magic 8, base LSN u64, crc32c u32, reserved u32.
pub(super) const HEADER_BYTES: usize = 24;

/// payload length u32, crc32c u32.
pub(super) const FRAME_BYTES: usize = 8;

/// No option may allow more: a length beyond it is damage, whatever the options were when it was written.
pub(super) const RECORD_BYTES_CEILING: usize = 256 << 20;

const SUFFIX: &str = ".wal";

pub(super) fn file_name(base: u64) -> String {
    format!("{base:020}{SUFFIX}")
}

/// The base LSN in a segment's name.
pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

pub(super) fn header(base: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&base.to_le_bytes());
    let crc = crc32c::crc32c(&header[..16]);
    header[16..20].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Whether `bytes` begin a segment with this base.
pub(super) fn is_header(bytes: &[u8], base: u64) -> bool {
    bytes == header(base)
}

/// Appends one frame to a batch. `payload_crc` is the plain CRC32C of the payload.
pub(super) fn push_frame(out: &mut Vec<u8>, lsn: u64, payload: &[u8], payload_crc: u32) {
    // The record limit keeps lengths far below u32.
    let len = payload.len() as u32;
    out.reserve(FRAME_BYTES + payload.len());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&frame_crc(payload_crc, len, lsn).to_le_bytes());
    out.extend_from_slice(payload);
}

/// What a frame's first bytes say.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameHead {
    pub len: u32,
    crc: u32,
}

impl FrameHead {
    /// `None` when no frame can begin with these bytes.
    pub fn parse(bytes: &[u8]) -> Option<FrameHead> {
        let mut fields = Fields(bytes);
        let head = FrameHead { len: fields.u32()?, crc: fields.u32()? };
        (head.len > 0 && head.len as usize <= RECORD_BYTES_CEILING).then_some(head)
    }

    pub fn frame_bytes(self) -> usize {
        FRAME_BYTES + self.len as usize
    }

    /// Whether `payload` belongs to this head at this place.
    pub fn fits(self, lsn: u64, payload: &[u8]) -> bool {
        frame_crc(crc32c::crc32c(payload), self.len, lsn) == self.crc
    }
}

/// The payload first, so that it can be summed before the place is known.
fn frame_crc(payload_crc: u32, len: u32, lsn: u64) -> u32 {
    let crc = crc32c::crc32c_append(payload_crc, &len.to_le_bytes());
    crc32c::crc32c_append(crc, &lsn.to_le_bytes())
}
