//! What is on its way to Loki, kept in a file until it is acknowledged.
//!
//! If the process dies between the push and the writing of the positions, the next start pushes the very
//! same bytes again: times are those of the first try, and Loki leaves out entries that it already has.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use codec::{CodecError, Cursor, write_bytes, write_uvarint};

use crate::batch::{Outgoing, Request};
use crate::file::{FileId, Head};
use crate::positions::{Position, replace, with_suffix};

const MAGIC: &[u8] = b"cmTAIL\0\x01";

#[derive(Debug)]
pub(crate) struct Pending {
    path: PathBuf,
}

impl Pending {
    /// Beside the positions file.
    pub fn new(positions: &Path) -> Pending {
        Pending { path: with_suffix(positions, ".pending") }
    }

    pub fn store(&self, outgoing: &Outgoing) -> io::Result<()> {
        replace(&self.path, &encode(outgoing))
    }

    /// What was on its way; nothing when the file is not there or not whole: then it was never sent.
    pub fn load(&self) -> Option<Outgoing> {
        decode(&fs::read(&self.path).ok()?).ok()
    }

    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

fn encode(outgoing: &Outgoing) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    write_uvarint(&mut out, outgoing.requests.len() as u64);
    for request in &outgoing.requests {
        write_bytes(&mut out, request.url.as_bytes());
        write_bytes(&mut out, request.tenant.as_bytes());
        write_bytes(&mut out, &request.body);
        write_uvarint(&mut out, request.entries);
        write_uvarint(&mut out, request.bytes);
    }
    write_uvarint(&mut out, outgoing.positions.len() as u64);
    for (key, position) in &outgoing.positions {
        write_bytes(&mut out, key.as_bytes());
        write_bytes(&mut out, position.text.as_bytes());
        out.push(u8::from(position.file.is_some()));
        if let Some((id, head)) = position.file {
            for number in [id.device, id.inode, u64::from(head.bytes), u64::from(head.crc)] {
                write_uvarint(&mut out, number);
            }
        }
        write_uvarint(&mut out, position.next.len() as u64);
        for id in &position.next {
            write_uvarint(&mut out, id.device);
            write_uvarint(&mut out, id.inode);
        }
    }
    write_uvarint(&mut out, outgoing.gone.len() as u64);
    outgoing.gone.iter().for_each(|key| write_bytes(&mut out, key.as_bytes()));
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Result<Outgoing, CodecError> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(CodecError("pending: too short"))?;
    if crc32c::crc32c(body).to_le_bytes() != *crc || !body.starts_with(MAGIC) {
        return Err(CodecError("pending: checksum"));
    }
    let mut cursor = Cursor::new(body);
    cursor.take(MAGIC.len())?;
    let mut requests = Vec::new();
    for _ in 0..cursor.count(5)? {
        requests.push(Request {
            url: cursor.str()?.to_string(),
            tenant: cursor.str()?.to_string(),
            body: cursor.bytes()?.to_vec(),
            entries: cursor.uvarint()?,
            bytes: cursor.uvarint()?,
        });
    }
    let mut positions = BTreeMap::new();
    for _ in 0..cursor.count(4)? {
        let (key, text) = (cursor.str()?.to_string(), cursor.str()?.to_string());
        let file = match cursor.u8()? {
            0 => None,
            _ => {
                let id = FileId { device: cursor.uvarint()?, inode: cursor.uvarint()? };
                Some((id, Head { bytes: cursor.uvarint()? as u32, crc: cursor.uvarint()? as u32 }))
            }
        };
        let mut next = Vec::new();
        for _ in 0..cursor.count(2)? {
            next.push(FileId { device: cursor.uvarint()?, inode: cursor.uvarint()? });
        }
        positions.insert(key, Position { text, file, next });
    }
    let gone = (0..cursor.count(1)?).map(|_| cursor.str().map(str::to_string)).collect::<Result<_, _>>()?;
    cursor.finish()?;
    Ok(Outgoing { requests, positions, gone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let pending = Pending::new(&dir.path().join("positions.yaml"));
        assert_eq!(pending.load(), None);
        let file = Some((FileId { device: 1, inode: u64::MAX }, Head { bytes: 9, crc: u32::MAX }));
        let outgoing = Outgoing {
            requests: vec![Request {
                url: "http://x".into(),
                tenant: "t".into(),
                body: vec![0, 255],
                entries: 3,
                bytes: 70_000,
            }],
            positions: [
                (
                    "/a".to_string(),
                    Position { text: "12".into(), file, next: vec![FileId { device: 3, inode: 4 }] },
                ),
                ("journal-x".to_string(), Position { text: "s=1".into(), file: None, next: Vec::new() }),
            ]
            .into(),
            gone: vec!["/b".into()],
        };
        pending.store(&outgoing).unwrap();
        assert_eq!(pending.load(), Some(outgoing.clone()));
        let bytes = encode(&outgoing);
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "{cut}");
        }
        pending.clear().unwrap();
        pending.clear().unwrap();
        assert_eq!(pending.load(), None);
    }
}
