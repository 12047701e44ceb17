//! Messages that are too large for packets, each on a connection of its own.
//!
//! ```text
//! stream  = [244, length, label]  message            the label only from who opened the connection
//! message = 10, length (u32 big endian), sealed message
//!         | 9, { Algo: 0, Buf: LZW of a message }
//!         | 6, header, node*, user state             everything; the other side answers with the same
//!         | 8, { UserMsgLen }, bytes                 a message of the layer above
//!         | 0, ping                                  answered with an ack
//! ```

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::core::MEMBERS_MAX;
use crate::lzw;
use crate::message::{self, Message, Node, Ping, PushPullHeader, kind};
use crate::msgpack::{Malformed, Reader, Writer};
use crate::packet::Envelope;

/// What a stream may hold, packed or not: the user state's limit in the original and room for the rest.
pub const STREAM_BYTES_MAX: usize = 32 << 20;

/// The largest user state and user message, as in the original.
pub const USER_BYTES_MAX: usize = 20 << 20;

const READ_BYTES: usize = 64 << 10;

/// Compression around a message, and one level to spare.
const DEPTH_MAX: u32 = 3;

/// A connection, encrypted or not.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamMessage {
    Ping(Ping),
    Ack {
        seq: u32,
    },
    /// Everything: members and the state of the layer above.
    PushPull {
        join: bool,
        nodes: Vec<Node>,
        user: Vec<u8>,
    },
    User(Vec<u8>),
    /// The other side could not do what was asked.
    Refused(String),
}

impl StreamMessage {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            StreamMessage::Ping(ping) => Message::Ping(ping.clone()).encode(),
            StreamMessage::Ack { seq } => Message::Ack { seq: *seq }.encode(),
            StreamMessage::PushPull { join, nodes, user } => {
                let mut out = Vec::with_capacity(user.len() + nodes.len() * 128 + 64);
                out.push(kind::PUSH_PULL);
                PushPullHeader { nodes: nodes.len(), user_bytes: user.len(), join: *join }.write(&mut out);
                nodes.iter().for_each(|node| node.write(&mut out));
                out.extend(user);
                out
            }
            StreamMessage::User(bytes) => {
                let mut out = Vec::with_capacity(bytes.len() + 24);
                out.push(kind::USER);
                let mut w = Writer(&mut out);
                w.map(1);
                w.uint_field("UserMsgLen", bytes.len() as u64);
                out.extend(bytes);
                out
            }
            StreamMessage::Refused(error) => {
                let mut out = vec![kind::ERROR];
                let mut w = Writer(&mut out);
                w.map(1);
                w.raw_field("Error", error.as_bytes());
                out
            }
        }
    }
}

/// Reads the label that whoever opened the connection sends first.
pub async fn read_label(stream: &mut dyn Connection, envelope: &Envelope) -> io::Result<()> {
    let expected = envelope.header();
    let mut found = vec![0; expected.len()];
    stream.read_exact(&mut found).await?;
    if found == expected { Ok(()) } else { Err(invalid("the cluster label is another")) }
}

pub async fn write(
    stream: &mut dyn Connection,
    envelope: &Envelope,
    message: &StreamMessage,
) -> io::Result<()> {
    let mut bytes = message.encode();
    if let Some(keys) = &envelope.keys {
        let len = bytes.len() + crate::crypt::OVERHEAD_BYTES;
        let mut out = vec![kind::ENCRYPTED];
        out.extend(u32::try_from(len).map_err(|_| invalid("message is too large"))?.to_be_bytes());
        let context = [&out[..], envelope.label.as_bytes()].concat();
        let sealed = keys.seal(&bytes, &context).ok_or_else(|| io::Error::other("no randomness"))?;
        out.extend(sealed);
        bytes = out;
    }
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Reads one message. Memory grows with what has arrived, not with what is announced.
pub async fn read(stream: &mut dyn Connection, envelope: &Envelope) -> io::Result<StreamMessage> {
    let mut bytes = Vec::new();
    loop {
        bytes.reserve(READ_BYTES);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.len() > STREAM_BYTES_MAX {
            return Err(invalid("message is too large"));
        }
        match parse(&bytes, envelope) {
            Ok(message) => return Ok(message),
            Err(ParseError::More) => {}
            Err(ParseError::Invalid(e)) => return Err(invalid(e)),
        }
    }
}

fn invalid(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

#[derive(Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The message has not arrived whole.
    More,
    Invalid(String),
}

impl ParseError {
    fn from(e: Malformed, is_whole: bool) -> ParseError {
        match e {
            Malformed::Truncated if !is_whole => ParseError::More,
            e => ParseError::Invalid(e.to_string()),
        }
    }

    fn new(text: &str) -> ParseError {
        ParseError::Invalid(text.to_owned())
    }
}

/// Reads a message that may not have arrived whole.
pub fn parse(bytes: &[u8], envelope: &Envelope) -> Result<StreamMessage, ParseError> {
    let Some((&first, rest)) = bytes.split_first() else { return Err(ParseError::More) };
    match &envelope.keys {
        Some(keys) if first == kind::ENCRYPTED => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or(ParseError::More)?;
            let length = u32::from_be_bytes(*length) as usize;
            if length > STREAM_BYTES_MAX {
                return Err(ParseError::new("message is too large"));
            }
            let sealed = rest.get(..length).ok_or(ParseError::More)?;
            let context = [bytes.get(..5).unwrap_or_default(), envelope.label.as_bytes()].concat();
            let plain = keys.open(sealed, &context).ok_or_else(|| ParseError::new("no key opens it"))?;
            body(&plain, true, DEPTH_MAX)
        }
        Some(_) => Err(ParseError::new("encryption is configured but the message is not encrypted")),
        None if first == kind::ENCRYPTED => {
            Err(ParseError::new("the message is encrypted and encryption is not configured"))
        }
        None => body(bytes, false, DEPTH_MAX),
    }
}

fn body(bytes: &[u8], is_whole: bool, depth: u32) -> Result<StreamMessage, ParseError> {
    let depth = depth.checked_sub(1).ok_or_else(|| ParseError::new("wrapped too deep"))?;
    let malformed = |e| ParseError::from(e, is_whole);
    let (&first, rest) = bytes.split_first().ok_or(malformed(Malformed::Truncated))?;
    let mut reader = Reader::new(rest);
    match first {
        kind::COMPRESSED => {
            let packed = message::read_compressed(&mut reader).map_err(malformed)?;
            let plain = lzw::unpack(packed, STREAM_BYTES_MAX)
                .map_err(|e| ParseError::Invalid(format!("cannot decompress: {e:?}")))?;
            body(&plain, true, depth)
        }
        kind::PING => Ok(StreamMessage::Ping(message::read_ping(&mut reader).map_err(malformed)?)),
        kind::ACK => Ok(StreamMessage::Ack { seq: message::read_seq(&mut reader).map_err(malformed)? }),
        kind::PUSH_PULL => push_pull(&mut reader, malformed),
        kind::USER => {
            let len = message::read_user_header(&mut reader).map_err(malformed)?;
            if len > USER_BYTES_MAX {
                return Err(ParseError::new("user message is too large"));
            }
            Ok(StreamMessage::User(reader.take(len).map_err(malformed)?.to_vec()))
        }
        kind::ERROR => {
            let mut text = String::new();
            let visit = |name: &str, value: &mut Reader<'_>| {
                if name == "Error" {
                    text = String::from_utf8_lossy(value.raw()?).into_owned();
                }
                Ok(name == "Error")
            };
            reader.fields(visit).map_err(malformed)?;
            Ok(StreamMessage::Refused(text))
        }
        other => Err(ParseError::Invalid(format!("unexpected message type {other}"))),
    }
}

fn push_pull(
    reader: &mut Reader<'_>,
    malformed: impl Fn(Malformed) -> ParseError + Copy,
) -> Result<StreamMessage, ParseError> {
    let header = PushPullHeader::read(reader).map_err(malformed)?;
    if header.nodes > MEMBERS_MAX {
        return Err(ParseError::new("too many nodes"));
    }
    if header.user_bytes > USER_BYTES_MAX {
        return Err(ParseError::new("user state is too large"));
    }
    let mut nodes = Vec::new();
    for _ in 0..header.nodes {
        nodes.push(Node::read(reader).map_err(malformed)?);
    }
    let user = reader.take(header.user_bytes).map_err(malformed)?.to_vec();
    Ok(StreamMessage::PushPull { join: header.join, nodes, user })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypt::KeyRing;
    use crate::message::{NodeState, VERSIONS};

    fn push_pull(user: usize) -> StreamMessage {
        let node = Node {
            name: "a".into(),
            addr: "10.0.0.1:9094".parse().unwrap(),
            meta: vec![],
            incarnation: 1,
            state: NodeState::Suspect,
            versions: VERSIONS,
        };
        StreamMessage::PushPull { join: true, nodes: vec![node; 3], user: vec![9; user] }
    }

    fn messages() -> Vec<StreamMessage> {
        vec![
            StreamMessage::Ping(Ping { seq: 7, node: "a".into(), source: Default::default() }),
            StreamMessage::Ack { seq: 7 },
            push_pull(0),
            push_pull(100_000),
            StreamMessage::User(vec![1; 70_000]),
            StreamMessage::Refused("no".into()),
        ]
    }

    fn envelopes() -> [Envelope; 3] {
        let keys = || Some(KeyRing::new(&[vec![7; 32]]).unwrap());
        [
            Envelope::default(),
            Envelope { label: "blue".into(), keys: None },
            Envelope { label: "blue".into(), keys: keys() },
        ]
    }

    #[tokio::test]
    async fn streams_survive_the_way() {
        for envelope in envelopes() {
            for message in messages() {
                let (mut here, mut there) = tokio::io::duplex(1_000);
                let sending = async {
                    here.write_all(&envelope.header()).await?;
                    write(&mut here, &envelope, &message).await
                };
                let reading = async {
                    read_label(&mut there, &envelope).await?;
                    read(&mut there, &envelope).await
                };
                let (sent, received) = tokio::join!(sending, reading);
                sent.unwrap();
                assert_eq!(received.unwrap(), message);
            }
        }
    }

    /// What the original 0.33.1 sends when it joins: compressed, itself and empty states.
    #[test]
    fn the_original_is_understood() {
        let join = include_bytes!("../../../fuzz/corpus/gossip_stream/original-03");
        let StreamMessage::PushPull { join, nodes, user } = parse(join, &Envelope::default()).unwrap() else {
            panic!("no state")
        };
        assert!(join);
        assert_eq!((nodes.len(), nodes[0].name.as_str(), nodes[0].versions), (1, "alpha", VERSIONS));
        let state = <wire::alertmanager::FullState as wire::prost::Message>::decode(&user[..]).unwrap();
        let mut keys: Vec<&str> = state.parts.iter().map(|part| part.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["nfl", "sil"]);
    }

    #[test]
    fn pieces_ask_for_more() {
        for message in [push_pull(10), StreamMessage::User(vec![1; 9]), StreamMessage::Ack { seq: 300 }] {
            let bytes = message.encode();
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes[..cut], &Envelope::default()), Err(ParseError::More), "{cut}");
            }
        }
    }

    #[test]
    fn limits_hold_before_memory_is_spent() {
        let check = |nodes, user_bytes| {
            let mut bytes = vec![kind::PUSH_PULL];
            PushPullHeader { nodes, user_bytes, join: false }.write(&mut bytes);
            parse(&bytes, &Envelope::default())
        };
        assert_eq!(check(1, 0), Err(ParseError::More));
        assert_eq!(check(MEMBERS_MAX + 1, 0), Err(ParseError::new("too many nodes")));
        assert_eq!(check(0, USER_BYTES_MAX + 1), Err(ParseError::new("user state is too large")));
        let [plain, _, sealed] = envelopes();
        assert!(matches!(parse(&[kind::ENCRYPTED], &plain), Err(ParseError::Invalid(_))));
        assert!(matches!(parse(&[kind::PUSH_PULL], &sealed), Err(ParseError::Invalid(_))));
        let huge = [&[kind::ENCRYPTED][..], &u32::MAX.to_be_bytes()].concat();
        assert_eq!(parse(&huge, &sealed), Err(ParseError::new("message is too large")));
    }
}
