//! From packets to messages and back.
//!
//! ```text
//! packet   = [244, length, label]  [sealed]  body
//! body     = [12, crc32 (big endian)]  message
//! message  = 7, count, length (u16 big endian)*, message*        compound
//!          | 9, { Algo: 0, Buf: LZW of a message }               compressed
//!          | type, body of that type
//! ```
//!
//! Hostile packets cost what they weigh: wrappings nest a few levels deep only, and all that a packet
//! unpacks to is limited.

use std::fmt;

use crate::crypt::{self, KeyRing};
use crate::lzw;
use crate::message::{self, Message, kind};
use crate::msgpack::{Malformed, Reader};

/// What a packet may hold so that it is not fragmented on its way, as the original has it.
pub const PACKET_BYTES_MAX: usize = 1_400;

/// What a packet may unpack to.
pub const UNPACKED_BYTES_MAX: usize = 256 << 10;

/// Wrappings around a message: a checksum, compression, a compound, and one to spare.
const DEPTH_MAX: u32 = 4;

/// A label in front of a packet has its length in a byte.
pub const LABEL_BYTES_MAX: usize = 255;

const CRC_OVERHEAD_BYTES: usize = 5;
const COMPOUND_OVERHEAD_BYTES: usize = 2;

/// What each part of a compound message costs beyond its bytes.
pub const PART_OVERHEAD_BYTES: usize = 2;

/// A compound's count is a byte.
const PARTS_MAX: usize = 255;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PacketError {
    /// Of another cluster, or of none.
    Label,
    /// None of our keys sealed it.
    Sealed,
    Checksum,
    /// Wrapped too deep, or too large unpacked.
    Limit,
    Malformed(Malformed),
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PacketError::Label => f.write_str("the cluster label is another"),
            PacketError::Sealed => f.write_str("no key opens it"),
            PacketError::Checksum => f.write_str("the checksum is wrong"),
            PacketError::Limit => f.write_str("it unpacks to more than is allowed"),
            PacketError::Malformed(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for PacketError {}

impl From<Malformed> for PacketError {
    fn from(e: Malformed) -> PacketError {
        PacketError::Malformed(e)
    }
}

/// What all packets and streams of a cluster are put into.
#[derive(Debug, Default)]
pub struct Envelope {
    /// Keeps clusters apart that share a network; at most [`LABEL_BYTES_MAX`].
    pub label: String,
    pub keys: Option<KeyRing>,
}

impl Envelope {
    /// Bytes that are left for messages in a packet.
    pub fn room(&self) -> usize {
        let label = if self.label.is_empty() { 0 } else { 2 + self.label.len() };
        let sealed = if self.keys.is_some() { crypt::OVERHEAD_BYTES } else { 0 };
        PACKET_BYTES_MAX - label - sealed - CRC_OVERHEAD_BYTES - COMPOUND_OVERHEAD_BYTES
    }

    /// The label as it stands in front of packets and streams.
    pub fn header(&self) -> Vec<u8> {
        if self.label.is_empty() {
            return Vec::new();
        }
        [&[kind::WITH_LABEL, self.label.len() as u8], self.label.as_bytes()].concat()
    }

    /// Puts one message into a packet, with a checksum for members that understand it.
    pub fn close(&self, message: &[u8], checksum: bool) -> Vec<u8> {
        let mut body = Vec::with_capacity(message.len() + CRC_OVERHEAD_BYTES);
        if checksum {
            body.push(kind::WITH_CRC);
            body.extend(crc32(message).to_be_bytes());
        }
        body.extend(message);
        let mut out = self.header();
        match &self.keys {
            // Without randomness nothing is said: better silent than readable.
            Some(keys) => {
                out = keys.seal(&body, self.label.as_bytes()).map(|s| [out, s].concat()).unwrap_or_default()
            }
            None => out.extend(body),
        }
        out
    }

    /// The messages of a packet, in order. Parts of a compound that are malformed are left out; the second
    /// value counts them.
    pub fn open(&self, packet: &[u8]) -> Result<(Vec<Message>, usize), PacketError> {
        let (label, rest) = split_label(packet)?;
        if label != self.label.as_bytes() {
            return Err(PacketError::Label);
        }
        let opened;
        let body = match &self.keys {
            Some(keys) => {
                opened = keys.open(rest, label).ok_or(PacketError::Sealed)?;
                &opened[..]
            }
            None => rest,
        };
        let body = match body.split_first() {
            Some((&kind::WITH_CRC, rest)) => {
                let (crc, message) = rest.split_first_chunk::<4>().ok_or(Malformed::Truncated)?;
                if crc32(message) != u32::from_be_bytes(*crc) {
                    return Err(PacketError::Checksum);
                }
                message
            }
            _ => body,
        };
        let mut opening = Opening { messages: Vec::new(), malformed: 0, budget: UNPACKED_BYTES_MAX };
        opening.message(body, DEPTH_MAX)?;
        Ok((opening.messages, opening.malformed))
    }
}

/// The label (empty for none) and what follows it.
fn split_label(packet: &[u8]) -> Result<(&[u8], &[u8]), PacketError> {
    let Some((&kind::WITH_LABEL, rest)) = packet.split_first() else { return Ok((&[], packet)) };
    let (&len, rest) = rest.split_first().ok_or(Malformed::Truncated)?;
    if len == 0 {
        return Err(PacketError::Label);
    }
    Ok(rest.split_at_checked(usize::from(len)).ok_or(Malformed::Truncated)?)
}

struct Opening {
    messages: Vec<Message>,
    malformed: usize,
    budget: usize,
}

impl Opening {
    fn message(&mut self, bytes: &[u8], depth: u32) -> Result<(), PacketError> {
        let depth = depth.checked_sub(1).ok_or(PacketError::Limit)?;
        let (&first, body) = bytes.split_first().ok_or(Malformed::Truncated)?;
        match first {
            kind::COMPOUND => self.compound(body, depth),
            kind::COMPRESSED => {
                let packed = message::read_compressed(&mut Reader::new(body))?;
                let plain = lzw::unpack(packed, self.budget).map_err(|e| match e {
                    lzw::LzwError::Corrupt => PacketError::Malformed(Malformed::Truncated),
                    lzw::LzwError::TooLarge => PacketError::Limit,
                })?;
                self.budget -= plain.len();
                self.message(&plain, depth)
            }
            _ => {
                self.messages.push(Message::decode(first, body)?);
                Ok(())
            }
        }
    }

    fn compound(&mut self, body: &[u8], depth: u32) -> Result<(), PacketError> {
        let (&count, rest) = body.split_first().ok_or(Malformed::Truncated)?;
        let (lengths, mut rest) =
            rest.split_at_checked(usize::from(count) * 2).ok_or(Malformed::Truncated)?;
        for length in lengths.as_chunks::<2>().0 {
            let length = usize::from(u16::from_be_bytes(*length));
            // What was cut off on the way is lost; what came before is not.
            let Some((part, after)) = rest.split_at_checked(length) else {
                self.malformed += 1;
                break;
            };
            rest = after;
            match self.message(part, depth) {
                Ok(()) => {}
                Err(PacketError::Limit) => return Err(PacketError::Limit),
                Err(_) => self.malformed += 1,
            }
        }
        Ok(())
    }
}

/// One message of several; of one, itself. Parts beyond what a compound can count are left out.
pub fn compound(parts: &[Vec<u8>]) -> Vec<u8> {
    if let [one] = parts {
        return one.clone();
    }
    let fits = |part: &&Vec<u8>| u16::try_from(part.len()).is_ok();
    let parts: Vec<&Vec<u8>> = parts.iter().filter(fits).take(PARTS_MAX).collect();
    let mut out = vec![kind::COMPOUND, parts.len() as u8];
    parts.iter().for_each(|part| out.extend((part.len() as u16).to_be_bytes()));
    parts.iter().for_each(|part| out.extend(*part));
    out
}

/// The checksum of Ethernet and zip files.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0u32; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(seq: u32) -> Message {
        Message::Ack { seq }
    }

    fn envelope(label: &str, keys: bool) -> Envelope {
        let keys = keys.then(|| KeyRing::new(&[vec![7; 32]]).unwrap());
        Envelope { label: label.into(), keys }
    }

    #[test]
    fn packets_survive_the_way() {
        let parts: Vec<Vec<u8>> = (0..300).map(|i| ack(i).encode()).collect();
        for (label, keys) in [("", false), ("blue", false), ("", true), ("blue", true)] {
            let envelope = envelope(label, keys);
            for checksum in [false, true] {
                let packet = envelope.close(&compound(&parts[..3]), checksum);
                assert_eq!(envelope.open(&packet), Ok((vec![ack(0), ack(1), ack(2)], 0)));
                let packet = envelope.close(&compound(&parts[..1]), checksum);
                assert_eq!(envelope.open(&packet), Ok((vec![ack(0)], 0)));
            }
        }
        assert_eq!(envelope("", false).open(&compound(&parts)).unwrap().0.len(), 255);
    }

    #[test]
    fn clusters_are_kept_apart() {
        let packet = |label: &str, keys| envelope(label, keys).close(&ack(1).encode(), true);
        let open = |label: &str, keys, packet: &[u8]| envelope(label, keys).open(packet).map(|_| ());
        assert_eq!(open("blue", false, &packet("green", false)), Err(PacketError::Label));
        assert_eq!(open("blue", false, &packet("", false)), Err(PacketError::Label));
        assert_eq!(open("", false, &packet("blue", false)), Err(PacketError::Label));
        assert_eq!(open("", true, &packet("", false)), Err(PacketError::Sealed));
        assert!(open("", false, &packet("", true)).is_err());
        assert_eq!(open("", false, &[244, 0, 1]), Err(PacketError::Label));
    }

    #[test]
    fn a_wrong_checksum_is_noticed() {
        let envelope = Envelope::default();
        let mut packet = envelope.close(&ack(1).encode(), true);
        *packet.last_mut().unwrap() ^= 1;
        assert_eq!(envelope.open(&packet), Err(PacketError::Checksum));
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_bad_part_spoils_only_itself() {
        let parts = [ack(1).encode(), vec![99], ack(2).encode()];
        let (messages, malformed) = Envelope::default().open(&compound(&parts)).unwrap();
        assert_eq!((messages, malformed), (vec![ack(1), ack(2)], 1));
        let whole = compound(&parts);
        let (messages, malformed) = Envelope::default().open(&whole[..whole.len() - 1]).unwrap();
        assert_eq!((messages, malformed), (vec![ack(1)], 2));
    }

    /// Packets of the original 0.33.1: a compound with a checksum, a compressed one, a suspicion, a ping with
    /// a suspicion, a silence.
    #[test]
    fn the_original_is_understood() {
        macro_rules! packet {
            ($name:literal) => {
                include_bytes!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../../fuzz/corpus/gossip_packet/original-",
                    $name
                ))
            };
        }
        let check = |packet: &[u8], expected: &[&str]| {
            let (messages, malformed) = Envelope::default().open(packet).unwrap();
            let found: Vec<String> = messages.iter().map(|m| format!("{m:?}")).collect();
            assert_eq!((found.len(), malformed), (expected.len(), 0), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{found}");
            }
        };
        let alive = |node: &str| format!("Alive(Alive {{ incarnation: 1, node: \"{node}\", addr: 127.0.0.1:");
        check(packet!("00"), &[&alive("alpha"), &alive("beta")]);
        check(packet!("02"), &["Ping(Ping {", &alive("alpha"), &alive("beta")]);
        let suspect = "Suspect(Suspect { incarnation: 1, node: \"beta\", from: \"alpha\" })";
        check(packet!("04"), &[suspect]);
        check(packet!("08"), &["Ping(Ping {", suspect]);
        check(packet!("09"), &["User("]);
    }

    #[test]
    fn wrappings_have_an_end() {
        let mut message = ack(1).encode();
        for _ in 0..2 {
            message = [&[kind::COMPOUND, 1], &(message.len() as u16).to_be_bytes()[..], &message].concat();
        }
        assert!(Envelope::default().open(&message).is_ok());
        for _ in 0..3 {
            message = [&[kind::COMPOUND, 1], &(message.len() as u16).to_be_bytes()[..], &message].concat();
        }
        assert_eq!(Envelope::default().open(&message), Err(PacketError::Limit));
    }
}
