//! DNS messages: one question out, answers back (RFC 1035, RFC 2782 for SRV, RFC 6891 for EDNS0).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How large a reply over UDP may be.
pub const UDP_BYTES_MAX: u16 = 4096;

/// Names longer than this are no names (RFC 1035 §2.3.4).
const NAME_BYTES_MAX: usize = 255;

/// Pointers a compressed name may follow; more is a loop.
const POINTERS_MAX: usize = 32;

/// Records read from one reply.
const RECORDS_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum RecordType {
    A = 1,
    Ns = 2,
    Mx = 15,
    Aaaa = 28,
    Srv = 33,
}

impl RecordType {
    pub fn parse(text: &str) -> Option<RecordType> {
        Some(match text.to_ascii_uppercase().as_str() {
            "A" => RecordType::A,
            "AAAA" => RecordType::Aaaa,
            "MX" => RecordType::Mx,
            "NS" => RecordType::Ns,
            "SRV" => RecordType::Srv,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    Address(IpAddr),
    Srv {
        port: u16,
        target: String,
    },
    Mx(String),
    Ns(String),
    /// Of a type nobody asked for.
    Other,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub truncated: bool,
    pub code: u8,
    pub answers: Vec<Data>,
}

/// Reply codes (RFC 1035 §4.1.1).
pub const SUCCESS: u8 = 0;
pub const NAME_ERROR: u8 = 3;

/// A question for `name`, which is absolute. `None` when that is no name.
pub fn question(id: u16, name: &str, kind: RecordType) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(&id.to_be_bytes());
    // Recursion desired; one question, one additional record.
    out.extend_from_slice(&[0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1]);
    let start = out.len();
    for label in name.trim_end_matches('.').split('.') {
        if label.is_empty() || label.len() > 63 {
            return None;
        }
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    if out.len() - start > NAME_BYTES_MAX {
        return None;
    }
    out.extend_from_slice(&(kind as u16).to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    // EDNS0: the root's name, type OPT, our buffer size, no flags, no options.
    out.extend_from_slice(&[0, 0, 41]);
    out.extend_from_slice(&UDP_BYTES_MAX.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
    Some(out)
}

/// Reads the reply to question `id`.
pub fn reply(id: u16, message: &[u8]) -> Result<Reply, &'static str> {
    let mut reader = Reader { message, at: 0 };
    if reader.u16()? != id {
        return Err("the reply is to another question");
    }
    let flags = reader.u16()?;
    if flags & 0x8000 == 0 {
        return Err("a question instead of a reply");
    }
    let (questions, records) = (reader.u16()?, reader.u16()?);
    reader.skip(4)?;
    for _ in 0..questions {
        reader.name()?;
        reader.skip(4)?;
    }
    let truncated = flags & 0x0200 != 0;
    let mut answers = Vec::new();
    for _ in 0..usize::from(records).min(RECORDS_MAX) {
        match reader.record() {
            Ok(data) => answers.push(data),
            // A cut reply ends in the middle of a record; it is asked for again over TCP.
            Err(_) if truncated => break,
            Err(e) => return Err(e),
        }
    }
    Ok(Reply { truncated, code: (flags & 0x000f) as u8, answers })
}

const SHORT: &str = "the reply ends too early";

struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn skip(&mut self, n: usize) -> Result<&'m [u8], &'static str> {
        let bytes = self.message.get(self.at..self.at + n).ok_or(SHORT)?;
        self.at += n;
        Ok(bytes)
    }

    fn u16(&mut self) -> Result<u16, &'static str> {
        let bytes = self.skip(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A name with its trailing dot.
    fn name(&mut self) -> Result<String, &'static str> {
        let (mut name, mut at, mut after, mut pointers) = (String::new(), self.at, None, 0);
        loop {
            let length = usize::from(*self.message.get(at).ok_or(SHORT)?);
            match length {
                0 => break,
                1..=63 => {
                    let label = self.message.get(at + 1..at + 1 + length).ok_or(SHORT)?;
                    name.push_str(&String::from_utf8_lossy(label));
                    name.push('.');
                    if name.len() > 4 * NAME_BYTES_MAX {
                        return Err("a name is too long");
                    }
                    at += 1 + length;
                }
                192.. => {
                    let low = usize::from(*self.message.get(at + 1).ok_or(SHORT)?);
                    after.get_or_insert(at + 2);
                    pointers += 1;
                    if pointers > POINTERS_MAX {
                        return Err("a name points to itself");
                    }
                    at = (length & 0x3f) << 8 | low;
                }
                _ => return Err("a label of unknown kind"),
            }
        }
        self.at = after.unwrap_or(at + 1);
        if name.is_empty() {
            name.push('.');
        }
        Ok(name)
    }

    fn record(&mut self) -> Result<Data, &'static str> {
        self.name()?;
        let kind = self.u16()?;
        self.skip(6)?;
        let length = usize::from(self.u16()?);
        let end = self.at + length;
        if end > self.message.len() {
            return Err(SHORT);
        }
        let data = match (kind, length) {
            (1, 4) => {
                let b = self.skip(4)?;
                Data::Address(IpAddr::V4(Ipv4Addr::new(b[0], b[1], b[2], b[3])))
            }
            (28, 16) => {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(self.skip(16)?);
                Data::Address(IpAddr::V6(Ipv6Addr::from(bytes)))
            }
            (2, _) => Data::Ns(self.name()?),
            (15, _) => {
                self.skip(2)?;
                Data::Mx(self.name()?)
            }
            (33, _) => {
                self.skip(4)?;
                let port = self.u16()?;
                Data::Srv { port, target: self.name()? }
            }
            _ => Data::Other,
        };
        self.at = end;
        Ok(data)
    }
}
