//! What Alertmanagers tell each other and keep in snapshot files: silences and the notification log.
//!
//! ```text
//! full state   FullState { parts: [Part { key, data }] }        sent whole when members synchronise
//! update       Part { key, data }                               gossiped when something changes
//! data         (length varint, MeshEntry)*     for key "nfl"    also the snapshot file `nflog`
//!              (length varint, MeshSilence)*   for key "sil"    also the snapshot file `silences`
//! packet       MemberlistMessage                                one frame of the TLS transport
//! ```
//!
//! Numbers and names are those of the original's `nflogpb`, `silencepb` and `clusterpb`. These are cold
//! paths: the messages are plain values with owned text.

use std::collections::HashMap;
use std::fmt;

use prost::Message;

/// A moment, as protobuf's well-known type has it.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// 0..1e9, also for moments before 1970.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

const NANOS: i64 = 1_000_000_000;

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub fn from_ns(ns: i64) -> Timestamp {
        Timestamp { seconds: ns.div_euclid(NANOS), nanos: ns.rem_euclid(NANOS) as i32 }
    }

    /// Nanoseconds since the Unix epoch; moments out of reach (before 1678, after 2262) become the nearest.
    pub fn to_ns(self) -> i64 {
        let ns = i128::from(self.seconds) * i128::from(NANOS) + i128::from(self.nanos);
        ns.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}

/// `None` is the moment zero of Go's clock, far before everything.
pub fn ns_of(timestamp: Option<Timestamp>) -> i64 {
    timestamp.map_or(i64::MIN, Timestamp::to_ns)
}

/// Who was notified: receiver, kind of integration, and which of that kind.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Receiver {
    #[prost(string, tag = "1")]
    pub group_name: String,
    #[prost(string, tag = "2")]
    pub integration: String,
    #[prost(uint32, tag = "3")]
    pub idx: u32,
}

/// What a receiver was last told about a group.
#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    #[prost(bytes = "vec", tag = "1")]
    pub group_key: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub receiver: Option<Receiver>,
    #[prost(message, optional, tag = "5")]
    pub timestamp: Option<Timestamp>,
    /// Hashes of the alerts that were firing.
    #[prost(uint64, repeated, tag = "6")]
    pub firing_alerts: Vec<u64>,
    #[prost(uint64, repeated, tag = "7")]
    pub resolved_alerts: Vec<u64>,
    /// What the integration keeps between notifications.
    #[prost(map = "string, message", tag = "8")]
    pub receiver_data: HashMap<String, ReceiverData>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ReceiverData {
    #[prost(oneof = "Datum", tags = "1, 2, 3")]
    pub value: Option<Datum>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Datum {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "2")]
    Int(i64),
    #[prost(double, tag = "3")]
    Float(f64),
}

#[derive(Clone, PartialEq, Message)]
pub struct MeshEntry {
    #[prost(message, optional, tag = "1")]
    pub entry: Option<Entry>,
    #[prost(message, optional, tag = "2")]
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum MatcherType {
    Equal = 0,
    Regexp = 1,
    NotEqual = 2,
    NotRegexp = 3,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Matcher {
    #[prost(enumeration = "MatcherType", tag = "1")]
    pub kind: i32,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub pattern: String,
}

/// Matchers that must all match.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MatcherSet {
    #[prost(message, repeated, tag = "1")]
    pub matchers: Vec<Matcher>,
}

/// How comments were stored once.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Comment {
    #[prost(string, tag = "1")]
    pub author: String,
    #[prost(string, tag = "2")]
    pub comment: String,
    #[prost(message, optional, tag = "3")]
    pub timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Silence {
    #[prost(string, tag = "1")]
    pub id: String,
    /// The first matcher set, for members that know only one.
    #[prost(message, repeated, tag = "2")]
    pub matchers: Vec<Matcher>,
    #[prost(message, optional, tag = "3")]
    pub starts_at: Option<Timestamp>,
    #[prost(message, optional, tag = "4")]
    pub ends_at: Option<Timestamp>,
    #[prost(message, optional, tag = "5")]
    pub updated_at: Option<Timestamp>,
    #[prost(message, repeated, tag = "7")]
    pub comments: Vec<Comment>,
    #[prost(string, tag = "8")]
    pub created_by: String,
    #[prost(string, tag = "9")]
    pub comment: String,
    #[prost(btree_map = "string, string", tag = "10")]
    pub annotations: std::collections::BTreeMap<String, String>,
    /// One of them must match.
    #[prost(message, repeated, tag = "11")]
    pub matcher_sets: Vec<MatcherSet>,
}

impl Silence {
    /// Brings what older members wrote into today's shape.
    fn modernise(&mut self) {
        if self.matcher_sets.is_empty() && !self.matchers.is_empty() {
            self.matcher_sets.push(MatcherSet { matchers: self.matchers.clone() });
        }
        if let Some(first) = self.comments.first() {
            self.comment.clone_from(&first.comment);
            self.created_by.clone_from(&first.author);
            self.comments.clear();
        }
    }
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct MeshSilence {
    #[prost(message, optional, tag = "1")]
    pub silence: Option<Silence>,
    #[prost(message, optional, tag = "2")]
    pub expires_at: Option<Timestamp>,
}

/// A piece of one state: `nfl` or `sil`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Part {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct FullState {
    #[prost(message, repeated, tag = "1")]
    pub parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum MemberlistKind {
    /// From here on the connection is a stream.
    Stream = 0,
    /// `msg` is what would have been a UDP packet.
    Packet = 1,
}

/// A frame of the TLS transport; on the wire after its length (u32, little endian).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MemberlistMessage {
    #[prost(string, tag = "1")]
    pub version: String,
    #[prost(enumeration = "MemberlistKind", tag = "2")]
    pub kind: i32,
    #[prost(string, tag = "3")]
    pub from_addr: String,
    #[prost(bytes = "vec", tag = "4")]
    pub msg: Vec<u8>,
}

/// Why a state is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateError(String);

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StateError {}

/// Reads messages that each follow their length.
pub fn read_delimited<M: Message + Default>(mut bytes: &[u8]) -> Result<Vec<M>, StateError> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        out.push(M::decode_length_delimited(&mut bytes).map_err(|e| StateError(e.to_string()))?);
    }
    Ok(out)
}

/// Appends a message after its length.
pub fn write_delimited<M: Message>(out: &mut Vec<u8>, message: &M) {
    out.reserve(message.encoded_len() + 10);
    // A vector grows as needed, so there is always room.
    let _ = message.encode_length_delimited(out);
}

/// The entries of a notification log: a gossiped part or a snapshot file.
pub fn read_notification_log(bytes: &[u8]) -> Result<Vec<MeshEntry>, StateError> {
    let entries: Vec<MeshEntry> = read_delimited(bytes)?;
    let is_whole =
        |mesh: &MeshEntry| mesh.entry.as_ref().is_some_and(|e| e.receiver.is_some() && e.timestamp.is_some());
    if entries.iter().all(is_whole) { Ok(entries) } else { Err(StateError("invalid state".into())) }
}

/// The silences of a gossiped part or a snapshot file, whatever version wrote them.
pub fn read_silences(bytes: &[u8]) -> Result<Vec<MeshSilence>, StateError> {
    let mut silences: Vec<MeshSilence> = read_delimited(bytes)?;
    for mesh in &mut silences {
        match &mut mesh.silence {
            Some(silence) => silence.modernise(),
            None => return Err(StateError("invalid state".into())),
        }
    }
    Ok(silences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_their_nanoseconds() {
        for ns in [0, 1, -1, 1_700_000_000_123_456_789, -62_135_596_800 * 1_000_000, i64::MIN, i64::MAX] {
            assert_eq!(Timestamp::from_ns(ns).to_ns(), ns);
        }
        let beyond = Timestamp { seconds: i64::MAX, nanos: 999_999_999 };
        assert_eq!(beyond.to_ns(), i64::MAX);
        assert_eq!(ns_of(None), i64::MIN);
    }

    #[test]
    fn an_entry_has_the_bytes_of_the_original() {
        let entry = MeshEntry {
            entry: Some(Entry {
                group_key: b"{}:{}".to_vec(),
                receiver: Some(Receiver { group_name: "team".into(), integration: "webhook".into(), idx: 1 }),
                timestamp: Some(Timestamp { seconds: 5, nanos: 7 }),
                firing_alerts: vec![1, 300],
                resolved_alerts: vec![],
                receiver_data: [("a".to_owned(), ReceiverData { value: Some(Datum::Int(2)) })].into(),
            }),
            expires_at: Some(Timestamp { seconds: 9, nanos: 0 }),
        };
        let mut bytes = Vec::new();
        write_delimited(&mut bytes, &entry);
        let expected: &[&[u8]] = &[
            &[52, 0x0a, 46],
            &[0x0a, 5],
            b"{}:{}",
            &[0x12, 17, 0x0a, 4],
            b"team",
            &[0x12, 7],
            b"webhook",
            &[0x18, 1],
            &[0x2a, 4, 8, 5, 16, 7],
            &[0x32, 3, 1, 0xac, 2],
            &[0x42, 7, 0x0a, 1, b'a', 0x12, 2, 0x10, 2],
            &[0x12, 2, 8, 9],
        ];
        let expected = expected.concat();
        assert_eq!(bytes, expected);
        assert_eq!(read_notification_log(&bytes).unwrap(), [entry]);
    }

    #[test]
    fn silences_of_older_members_are_brought_up_to_date() {
        let matcher = Matcher { kind: 0, name: "a".into(), pattern: "b".into() };
        let old = MeshSilence {
            silence: Some(Silence {
                id: "x".into(),
                matchers: vec![matcher.clone()],
                comments: vec![Comment { author: "me".into(), comment: "why".into(), ..Comment::default() }],
                ..Silence::default()
            }),
            expires_at: None,
        };
        let mut bytes = Vec::new();
        write_delimited(&mut bytes, &old);
        let silence = read_silences(&bytes).unwrap().remove(0).silence.unwrap();
        assert_eq!(silence.matcher_sets, [MatcherSet { matchers: vec![matcher] }]);
        assert_eq!((silence.comment.as_str(), silence.created_by.as_str()), ("why", "me"));
    }

    #[test]
    fn what_is_cut_or_empty_is_refused() {
        let mut bytes = Vec::new();
        write_delimited(&mut bytes, &MeshSilence { silence: Some(Silence::default()), expires_at: None });
        assert!(read_silences(&bytes).is_ok());
        assert!(read_silences(&[]).unwrap().is_empty());
        assert!(read_silences(&[0]).is_err(), "a silence without a silence");
        assert!(read_notification_log(&[0]).is_err());
        bytes.push(200);
        assert!(read_silences(&bytes).is_err());
    }
}
