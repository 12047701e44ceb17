//! One remote's way through the log.

use std::sync::Arc;

use kernel::{Lsn, Tail};
use model::Labels;

use super::record::{self, Entry};
use super::state::Place;
use super::{Outbox, OutboxError, ReaderId};

/// Reads from a cursor on, definitions from a little before.
pub(crate) struct Reader {
    outbox: Arc<Outbox>,
    id: ReaderId,
    tail: Tail,
    /// Entries before this have been delivered.
    from: u64,
    generation: u64,
    payload: Vec<u8>,
    /// Records that could not be understood.
    pub damaged: u64,
}

/// One batch on its way out.
pub(crate) struct Record {
    /// Where it begins: the reader's place until all of it is delivered.
    pub place: Place,
    /// Where the next one begins.
    pub next: Place,
    /// Numbers of series given before mean nothing any more.
    pub new_generation: bool,
    pub definitions: Vec<(u64, Labels)>,
    pub entries: Vec<Entry>,
}

impl Reader {
    pub fn new(outbox: Arc<Outbox>, id: ReaderId) -> Reader {
        let (cursor, start) = {
            let state = outbox.state();
            let cursor = state.cursors.get(&id.remote).copied().unwrap_or(state.end);
            let within = state.generations.iter().rev().find(|g| g.start.lsn <= cursor.lsn);
            (cursor, within.map_or(state.floor(), |generation| generation.start))
        };
        let tail = outbox.table.tail(Lsn(start.lsn));
        Reader { outbox, id, tail, from: cursor.lsn, generation: 0, payload: Vec::new(), damaged: 0 }
    }

    /// The next batch; `None` when there is none yet, or never again because the turn is over.
    pub fn next(&mut self) -> Result<Option<Record>, OutboxError> {
        let floor = self.outbox.state().floor();
        if self.tail.position().0 < floor.lsn {
            self.tail = self.outbox.table.tail(Lsn(floor.lsn));
        }
        loop {
            let Some(lsn) = self.tail.next(&mut self.payload)? else { return Ok(None) };
            // Looked at after reading: what was appended after the turn ended is not shown.
            if !self.is_in_turn() {
                return Ok(None);
            }
            let wanted = lsn.0 >= self.from;
            let decoded = match record::decode(&self.payload, wanted) {
                Ok(decoded) => decoded,
                // Its checksum held, so this is no damage of the disk; others may still be readable.
                Err(error) => {
                    self.damaged += 1;
                    tracing::error!("a record at {lsn} is passed over: {error}");
                    continue;
                }
            };
            let head = decoded.head;
            let new_generation = std::mem::replace(&mut self.generation, head.generation) != head.generation;
            let before = head.before.saturating_add(head.samples);
            let mut definitions = decoded.definitions;
            self.share_labels(&mut definitions);
            return Ok(Some(Record {
                place: Place { lsn: lsn.0, before: head.before },
                next: Place { lsn: self.tail.position().0, before },
                new_generation,
                definitions,
                entries: decoded.entries,
            }));
        }
    }

    fn is_in_turn(&self) -> bool {
        self.outbox.state().turns.get(&self.id.remote) == Some(&self.id.turn)
    }

    /// Label sets that are in memory already need no second copy.
    fn share_labels(&self, definitions: &mut [(u64, Labels)]) {
        if definitions.is_empty() {
            return;
        }
        let state = self.outbox.state();
        for (series, labels) in definitions {
            if let Some(known) = state.known.get(series)
                && known.labels == *labels
            {
                *labels = known.labels.clone();
            }
        }
    }
}
