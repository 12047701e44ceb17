//! Start timestamps inside chunks: since when a sample counts, written beside the samples that say so.
//!
//! One header byte: bit 7 says that the first sample has a start, bits 0 to 6 name the sample from which on
//! every sample has one (0: none does). What is written is the distance of the start to a sample's time: to
//! its own for the first sample, to the one's before for later ones, and from the second such distance on
//! only how it changed.

use codec::{BitReader, CodecError};
use model::TimestampMs;

use super::varbit;

#[derive(Debug)]
pub struct StartTimes {
    first_known: bool,
    changes_from: usize,
    distance: i64,
    start: TimestampMs,
}

impl StartTimes {
    pub fn new(header: u8) -> StartTimes {
        StartTimes {
            first_known: header & 0x80 != 0,
            changes_from: usize::from(header & 0x7f),
            distance: 0,
            start: 0,
        }
    }

    /// What follows sample number `index` at `t`; `before` is the time of the sample before. Zero: none.
    pub fn read(
        &mut self,
        bits: &mut BitReader,
        index: usize,
        t: TimestampMs,
        before: TimestampMs,
    ) -> Result<TimestampMs, CodecError> {
        if index == 0 {
            if self.first_known {
                self.distance = varbit::read_varint(bits)?;
                self.start = t.wrapping_sub(self.distance);
            }
        } else if self.changes_from > 0 && index >= self.changes_from {
            let change = varbit::read_int(bits)?;
            let first = index == self.changes_from;
            self.distance = if first { change } else { self.distance.wrapping_add(change) };
            self.start = before.wrapping_sub(self.distance);
        }
        Ok(self.start)
    }
}
