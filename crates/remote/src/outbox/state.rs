//! What the outbox keeps in its table's manifest: where generations begin, and how far each remote is.

use bytes::Bytes;
use codec::{Cursor, write_uvarint};

use super::OutboxError;

const VERSION: u64 = 1;

/// A place between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub lsn: u64,
    /// Samples in the log before this place, since the log began.
    pub before: u64,
}

/// A stretch of the log that can be read without what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    pub number: u64,
    pub start: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    /// Ascending.
    pub generations: Vec<Generation>,
    /// By the remote's id.
    pub cursors: Vec<(u64, Place)>,
}

impl Saved {
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        write_uvarint(&mut out, VERSION);
        write_uvarint(&mut out, self.generations.len() as u64);
        for generation in &self.generations {
            write_uvarint(&mut out, generation.number);
            write_uvarint(&mut out, generation.start.lsn);
            write_uvarint(&mut out, generation.start.before);
        }
        write_uvarint(&mut out, self.cursors.len() as u64);
        for (id, place) in &self.cursors {
            write_uvarint(&mut out, *id);
            write_uvarint(&mut out, place.lsn);
            write_uvarint(&mut out, place.before);
        }
        out.into()
    }

    /// No bytes are the state of a new outbox.
    pub fn decode(bytes: &[u8]) -> Result<Saved, OutboxError> {
        let mut saved = Saved::default();
        if bytes.is_empty() {
            return Ok(saved);
        }
        let mut cursor = Cursor::new(bytes);
        let version = cursor.uvarint()?;
        if version != VERSION {
            return Err(OutboxError::corrupt(&format!("state of version {version}, known is {VERSION}")));
        }
        let place = |cursor: &mut Cursor<'_>| -> Result<Place, OutboxError> {
            Ok(Place { lsn: cursor.uvarint()?, before: cursor.uvarint()? })
        };
        for _ in 0..cursor.count(3)? {
            let number = cursor.uvarint()?;
            saved.generations.push(Generation { number, start: place(&mut cursor)? });
        }
        for _ in 0..cursor.count(3)? {
            let id = cursor.uvarint()?;
            saved.cursors.push((id, place(&mut cursor)?));
        }
        cursor.finish()?;
        Ok(saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_comes_back_and_damage_is_an_error() {
        let place = |lsn| Place { lsn, before: lsn / 2 };
        let saved = Saved {
            generations: vec![Generation { number: 4, start: place(100) }],
            cursors: vec![(u64::MAX, place(300)), (7, place(0))],
        };
        let bytes = saved.encode();
        assert_eq!(Saved::decode(&bytes).unwrap(), saved);
        assert_eq!(Saved::decode(&[]).unwrap(), Saved::default());
        for end in 1..bytes.len() {
            assert!(Saved::decode(&bytes[..end]).is_err(), "{end}");
        }
        assert!(Saved::decode(&[9]).unwrap_err().to_string().contains("version 9"));
    }
}
