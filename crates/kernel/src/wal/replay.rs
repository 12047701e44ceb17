//! The reading end: shows the records of old segments and copes with damage.
//!
//! At a place where no valid frame begins, the rest of the segment is searched for the next one. If there
//! is one, the bytes in between are damage; so is the rest of a segment that is not the last. In the last
//! segment an invalid rest is a torn tail: the write that the crash interrupted, which was never
//! acknowledged. It is cut so that it is reported once. Damage stays where it is: the segment goes when
//! its records are in parts, and until then somebody may want to look.

use std::sync::Arc;

use platform::ReadAt;

use super::Lsn;
use super::segment::{self, FRAME_BYTES, FrameHead, HEADER_BYTES};
use super::writer::{Segment, Writer};
use crate::error::{AtPath, KernelError};
use crate::metrics::{KernelMetrics, add};

/// Read ahead this much at a time.
const WINDOW_BYTES: usize = 256 << 10;

/// Searching behind damage tries a checksum wherever four bytes look like a length. Random bytes rarely
/// do, but bytes made to would cost quadratic time: after this much checksumming the rest of the segment
/// is given up.
const RESYNC_BYTES_MAX: u64 = 4 << 30;

/// A place that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub from: Lsn,
    pub to: Lsn,
    pub file: String,
}

/// Is shown every record; an error ends the replay.
pub type Visit<'a> = dyn FnMut(Lsn, &[u8]) -> Result<(), KernelError> + 'a;

/// What a replay met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayReport {
    pub records: u64,
    pub bytes: u64,
    /// Bytes cut off the end of the log.
    pub torn_tail_bytes: u64,
    pub damage: Vec<Damage>,
}

pub(super) fn replay(
    writer: &Writer,
    metrics: &KernelMetrics,
    from: Lsn,
    visit: &mut Visit<'_>,
) -> Result<ReplayReport, KernelError> {
    let mut report = ReplayReport::default();
    let segments = writer.old_segments();
    for (index, segment) in segments.iter().enumerate() {
        if segment.end <= from.0 || segment.end == segment.base {
            continue;
        }
        let is_last = index + 1 == segments.len();
        replay_segment(writer, *segment, is_last, from, visit, &mut report)?;
    }
    add(&metrics.wal_replayed_records, report.records);
    add(&metrics.wal_corruptions, report.damage.len() as u64);
    add(&metrics.wal_torn_bytes, report.torn_tail_bytes);
    Ok(report)
}

fn replay_segment(
    writer: &Writer,
    segment: Segment,
    is_last: bool,
    from: Lsn,
    visit: &mut Visit<'_>,
    report: &mut ReplayReport,
) -> Result<(), KernelError> {
    let path = writer.path(segment.base);
    let file = writer.disk.open_read(&path).at(&path)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).at(&path)?;
    let mut damage = |from: u64, to: u64| {
        report.damage.push(Damage { from: Lsn(from), to: Lsn(to), file: path.display().to_string() });
    };
    if !segment::is_header(&header, segment.base) {
        // The name says where the segment begins, so its records can be checked all the same.
        damage(segment.base, segment.base);
    }
    let mut window = Window::new(file, segment);
    // Low-water marks lie between records, so the search may begin right there.
    let mut lsn = segment.base.max(from.0);
    let mut torn_at = None;
    while lsn < segment.end {
        if let Some(payload) = window.frame(lsn).at(&path)? {
            report.records += 1;
            report.bytes += payload.len() as u64;
            let next = lsn + (FRAME_BYTES + payload.len()) as u64;
            visit(Lsn(lsn), payload)?;
            lsn = next;
            continue;
        }
        match window.resync(lsn + 1).at(&path)? {
            Some(next) => {
                damage(lsn, next);
                lsn = next;
            }
            None if is_last => {
                torn_at = Some(lsn);
                break;
            }
            None => {
                damage(lsn, segment.end);
                break;
            }
        }
    }
    if let Some(end) = torn_at {
        report.torn_tail_bytes += segment.end - end;
        writer.cut(segment.base, end)?;
    }
    Ok(())
}

/// A piece of a segment in memory.
pub(super) struct Window {
    file: Arc<dyn ReadAt>,
    pub base: u64,
    pub end: u64,
    /// LSN of the first byte in `bytes`.
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    pub fn new(file: Arc<dyn ReadAt>, segment: Segment) -> Window {
        Window { file, base: segment.base, end: segment.end, start: 0, bytes: Vec::new() }
    }

    /// The payload of the frame at `lsn`, if a valid one is there.
    pub fn frame(&mut self, lsn: u64) -> std::io::Result<Option<&[u8]>> {
        let Some(head) = FrameHead::parse(self.at(lsn, FRAME_BYTES)?) else { return Ok(None) };
        let frame = self.at(lsn, head.frame_bytes())?;
        Ok(frame.get(FRAME_BYTES..).filter(|payload| head.fits(lsn, payload)))
    }

    /// The first place from `lsn` on where a valid frame begins.
    pub fn resync(&mut self, mut lsn: u64) -> std::io::Result<Option<u64>> {
        let mut checked = 0;
        while lsn + (FRAME_BYTES as u64) < self.end {
            let head = FrameHead::parse(self.at(lsn, FRAME_BYTES)?);
            if let Some(head) = head
                && head.frame_bytes() as u64 <= self.end - lsn
            {
                checked += head.frame_bytes() as u64;
                if checked > RESYNC_BYTES_MAX {
                    return Ok(None);
                }
                if self.frame(lsn)?.is_some() {
                    return Ok(Some(lsn));
                }
            }
            lsn += 1;
        }
        Ok(None)
    }

    /// `len` bytes from `lsn` on; empty when the segment ends before.
    fn at(&mut self, lsn: u64, len: usize) -> std::io::Result<&[u8]> {
        if lsn + len as u64 > self.end {
            return Ok(&[]);
        }
        let inside = lsn >= self.start && lsn + len as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            let room = usize::try_from(self.end - lsn).unwrap_or(usize::MAX);
            self.bytes.resize(len.max(WINDOW_BYTES).min(room), 0);
            self.start = lsn;
            self.file.read_exact_at(&mut self.bytes, HEADER_BYTES as u64 + (lsn - self.base))?;
        }
        let offset = (lsn - self.start) as usize;
        Ok(&self.bytes[offset..offset + len])
    }
}
