//! What members say to each other, as values.
//!
//! ```text
//! message = type (1 byte), structure (MessagePack map by field name)     all but user messages
//!         = 8, bytes                                                     a user message, as it is
//! ```

use std::net::{IpAddr, SocketAddr};

use crate::msgpack::{Malformed, Reader, Writer};

type Result<T> = std::result::Result<T, Malformed>;

pub mod kind {
    //! The first byte of a message.
    pub const PING: u8 = 0;
    pub const INDIRECT_PING: u8 = 1;
    pub const ACK: u8 = 2;
    pub const SUSPECT: u8 = 3;
    pub const ALIVE: u8 = 4;
    pub const DEAD: u8 = 5;
    pub const PUSH_PULL: u8 = 6;
    pub const COMPOUND: u8 = 7;
    pub const USER: u8 = 8;
    pub const COMPRESSED: u8 = 9;
    pub const ENCRYPTED: u8 = 10;
    pub const NACK: u8 = 11;
    pub const WITH_CRC: u8 = 12;
    pub const ERROR: u8 = 13;
    pub const WITH_LABEL: u8 = 244;
}

/// Names longer than this are refused; the original's are 26 bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Meta data that a member may carry, as in the original.
pub const META_BYTES_MAX: usize = 512;

/// Understood protocol versions and the one spoken: protocol min, max, current, then the same of the layer
/// above.
pub type Versions = [u8; 6];
pub const VERSIONS: Versions = [1, 5, 2, 0, 0, 0];

/// Who asks, where a node listens elsewhere than it sends from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    pub addr: Option<IpAddr>,
    pub port: u16,
    pub node: String,
}

impl Source {
    pub fn socket(&self) -> Option<SocketAddr> {
        self.addr.filter(|_| self.port > 0).map(|ip| SocketAddr::new(ip, self.port))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ping {
    pub seq: u32,
    /// Whom the ping is meant for: addresses may have been given to somebody else.
    pub node: String,
    pub source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndirectPing {
    pub seq: u32,
    pub target: SocketAddr,
    pub node: String,
    /// Whether to say so when the target does not answer.
    pub nack: bool,
    pub source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suspect {
    pub incarnation: u32,
    pub node: String,
    pub from: String,
}

/// Of a node that leaves, `from` is itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dead {
    pub incarnation: u32,
    pub node: String,
    pub from: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    pub incarnation: u32,
    pub node: String,
    pub addr: SocketAddr,
    pub meta: Vec<u8>,
    pub versions: Versions,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Ping(Ping),
    IndirectPing(IndirectPing),
    Ack {
        seq: u32,
    },
    Nack {
        seq: u32,
    },
    Suspect(Suspect),
    Alive(Alive),
    Dead(Dead),
    /// Of the layer above.
    User(Vec<u8>),
}

/// A node's state in an exchange of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    Alive = 0,
    Suspect = 1,
    Dead = 2,
    Left = 3,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub addr: SocketAddr,
    pub meta: Vec<u8>,
    pub incarnation: u32,
    pub state: NodeState,
    pub versions: Versions,
}

/// The beginning of an exchange of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PushPullHeader {
    pub nodes: usize,
    pub user_bytes: usize,
    pub join: bool,
}

impl Message {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Message::Ping(ping) => {
                out.push(kind::PING);
                let mut w = Writer(&mut out);
                w.map(2 + source_fields(&ping.source));
                w.uint_field("SeqNo", ping.seq.into());
                w.raw_field("Node", ping.node.as_bytes());
                write_source(&mut w, &ping.source);
            }
            Message::IndirectPing(ping) => {
                out.push(kind::INDIRECT_PING);
                let mut w = Writer(&mut out);
                w.map(5 + source_fields(&ping.source));
                w.uint_field("SeqNo", ping.seq.into());
                w.raw_field("Target", &ip_bytes(ping.target.ip()));
                w.uint_field("Port", ping.target.port().into());
                w.raw_field("Node", ping.node.as_bytes());
                w.bool_field("Nack", ping.nack);
                write_source(&mut w, &ping.source);
            }
            Message::Ack { seq } => {
                out.push(kind::ACK);
                let mut w = Writer(&mut out);
                w.map(2);
                w.uint_field("SeqNo", (*seq).into());
                w.raw_field("Payload", &[]);
            }
            Message::Nack { seq } => {
                out.push(kind::NACK);
                let mut w = Writer(&mut out);
                w.map(1);
                w.uint_field("SeqNo", (*seq).into());
            }
            Message::Suspect(Suspect { incarnation, node, from }) => {
                out.push(kind::SUSPECT);
                write_accusation(&mut out, *incarnation, node, from);
            }
            Message::Dead(Dead { incarnation, node, from }) => {
                out.push(kind::DEAD);
                write_accusation(&mut out, *incarnation, node, from);
            }
            Message::Alive(alive) => {
                out.push(kind::ALIVE);
                let mut w = Writer(&mut out);
                w.map(6);
                w.uint_field("Incarnation", alive.incarnation.into());
                w.raw_field("Node", alive.node.as_bytes());
                w.raw_field("Addr", &ip_bytes(alive.addr.ip()));
                w.uint_field("Port", alive.addr.port().into());
                w.raw_field("Meta", &alive.meta);
                w.raw_field("Vsn", &alive.versions);
            }
            Message::User(bytes) => {
                out.push(kind::USER);
                out.extend(bytes);
            }
        }
        out
    }

    /// Reads a message of one kind. `Type` names the kinds that only wrap messages, too.
    pub fn decode(kind: u8, body: &[u8]) -> Result<Message> {
        Ok(match kind {
            kind::PING => Message::Ping(read_ping(&mut Reader::new(body))?),
            kind::INDIRECT_PING => Message::IndirectPing(read_indirect_ping(&mut Reader::new(body))?),
            kind::ACK => Message::Ack { seq: read_seq(&mut Reader::new(body))? },
            kind::NACK => Message::Nack { seq: read_seq(&mut Reader::new(body))? },
            kind::SUSPECT => {
                let (incarnation, node, from) = read_accusation(&mut Reader::new(body))?;
                Message::Suspect(Suspect { incarnation, node, from })
            }
            kind::DEAD => {
                let (incarnation, node, from) = read_accusation(&mut Reader::new(body))?;
                Message::Dead(Dead { incarnation, node, from })
            }
            kind::ALIVE => Message::Alive(read_alive(&mut Reader::new(body))?),
            kind::USER => Message::User(body.to_vec()),
            other => return Err(Malformed::Type(other)),
        })
    }
}

fn source_fields(source: &Source) -> u8 {
    if source.socket().is_some() { 3 } else { 0 }
}

fn write_source(w: &mut Writer<'_>, source: &Source) {
    if let Some(socket) = source.socket() {
        w.raw_field("SourceAddr", &ip_bytes(socket.ip()));
        w.uint_field("SourcePort", socket.port().into());
        w.raw_field("SourceNode", source.node.as_bytes());
    }
}

fn write_accusation(out: &mut Vec<u8>, incarnation: u32, node: &str, from: &str) {
    let mut w = Writer(out);
    w.map(3);
    w.uint_field("Incarnation", incarnation.into());
    w.raw_field("Node", node.as_bytes());
    w.raw_field("From", from.as_bytes());
}

pub fn read_ping(reader: &mut Reader<'_>) -> Result<Ping> {
    let mut ping = Ping::default();
    reader.fields(|name, value| {
        match name {
            "SeqNo" => ping.seq = value.uint()?,
            "Node" => ping.node = read_name(value)?,
            _ => return read_source(&mut ping.source, name, value),
        }
        Ok(true)
    })?;
    Ok(ping)
}

fn read_indirect_ping(reader: &mut Reader<'_>) -> Result<IndirectPing> {
    let (mut seq, mut ip, mut port, mut node, mut nack) = (0, None, 0, String::new(), false);
    let mut source = Source::default();
    reader.fields(|name, value| {
        match name {
            "SeqNo" => seq = value.uint()?,
            "Target" => ip = read_ip(value)?,
            "Port" => port = value.uint()?,
            "Node" => node = read_name(value)?,
            "Nack" => nack = value.bool()?,
            _ => return read_source(&mut source, name, value),
        }
        Ok(true)
    })?;
    let target = SocketAddr::new(ip.ok_or(Malformed::Range)?, port);
    Ok(IndirectPing { seq, target, node, nack, source })
}

fn read_source<'a>(source: &mut Source, name: &str, value: &mut Reader<'a>) -> Result<bool> {
    match name {
        "SourceAddr" => source.addr = read_ip(value)?,
        "SourcePort" => source.port = value.uint()?,
        "SourceNode" => source.node = read_name(value)?,
        _ => return Ok(false),
    }
    Ok(true)
}

pub fn read_seq(reader: &mut Reader<'_>) -> Result<u32> {
    let mut seq = 0;
    reader.fields(|name, value| {
        if name == "SeqNo" {
            seq = value.uint()?;
        }
        Ok(name == "SeqNo")
    })?;
    Ok(seq)
}

fn read_accusation(reader: &mut Reader<'_>) -> Result<(u32, String, String)> {
    let (mut incarnation, mut node, mut from) = (0, String::new(), String::new());
    reader.fields(|name, value| {
        match name {
            "Incarnation" => incarnation = value.uint()?,
            "Node" => node = read_name(value)?,
            "From" => from = read_name(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((incarnation, node, from))
}

fn read_alive(reader: &mut Reader<'_>) -> Result<Alive> {
    let mut node = RawNode::default();
    reader.fields(|name, value| node.field(name, "Node", value))?;
    let addr = node.addr()?;
    Ok(Alive {
        incarnation: node.incarnation,
        node: node.name,
        addr,
        meta: node.meta,
        versions: node.versions,
    })
}

/// The fields that a node's announcement and its entry in an exchange share.
#[derive(Default)]
struct RawNode {
    name: String,
    ip: Option<IpAddr>,
    port: u16,
    meta: Vec<u8>,
    incarnation: u32,
    state: u8,
    versions: Versions,
}

impl RawNode {
    fn field(&mut self, name: &str, name_field: &str, value: &mut Reader<'_>) -> Result<bool> {
        match name {
            "Incarnation" => self.incarnation = value.uint()?,
            "Addr" => self.ip = read_ip(value)?,
            "Port" => self.port = value.uint()?,
            "Meta" => {
                let meta = value.raw()?;
                if meta.len() > META_BYTES_MAX {
                    return Err(Malformed::Range);
                }
                self.meta = meta.to_vec();
            }
            "Vsn" => {
                // Nodes of the first versions send none, which is all zeros.
                let versions = value.raw()?;
                self.versions = if versions.is_empty() {
                    Versions::default()
                } else {
                    *versions.first_chunk().ok_or(Malformed::Range)?
                };
            }
            "State" => self.state = value.uint()?,
            _ if name == name_field => self.name = read_name(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn addr(&self) -> Result<SocketAddr> {
        if self.name.is_empty() {
            return Err(Malformed::Range);
        }
        Ok(SocketAddr::new(self.ip.ok_or(Malformed::Range)?, self.port))
    }
}

impl Node {
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.map(7);
        w.raw_field("Name", self.name.as_bytes());
        w.raw_field("Addr", &ip_bytes(self.addr.ip()));
        w.uint_field("Port", self.addr.port().into());
        w.raw_field("Meta", &self.meta);
        w.uint_field("Incarnation", self.incarnation.into());
        w.uint_field("State", self.state as u64);
        w.raw_field("Vsn", &self.versions);
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Node> {
        let mut node = RawNode::default();
        reader.fields(|name, value| node.field(name, "Name", value))?;
        let state = match node.state {
            0 => NodeState::Alive,
            1 => NodeState::Suspect,
            2 => NodeState::Dead,
            3 => NodeState::Left,
            _ => return Err(Malformed::Range),
        };
        let addr = node.addr()?;
        Ok(Node {
            name: node.name,
            addr,
            meta: node.meta,
            incarnation: node.incarnation,
            state,
            versions: node.versions,
        })
    }
}

impl PushPullHeader {
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.map(3);
        w.uint_field("Nodes", self.nodes as u64);
        w.uint_field("UserStateLen", self.user_bytes as u64);
        w.bool_field("Join", self.join);
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<PushPullHeader> {
        let mut header = PushPullHeader::default();
        reader.fields(|name, value| {
            match name {
                "Nodes" => header.nodes = value.uint()?,
                "UserStateLen" => header.user_bytes = value.uint()?,
                "Join" => header.join = value.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(header)
    }
}

/// The packed bytes of a compressed message. The one algorithm there is has number 0.
pub fn read_compressed<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let (mut algorithm, mut packed) = (0u8, &[][..]);
    reader.fields(|name, value| {
        match name {
            "Algo" => algorithm = value.uint()?,
            "Buf" => packed = value.raw()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if algorithm == 0 { Ok(packed) } else { Err(Malformed::Range) }
}

/// How many bytes of a user message follow on a stream.
pub fn read_user_header(reader: &mut Reader<'_>) -> Result<usize> {
    let mut len = 0;
    reader.fields(|name, value| {
        if name == "UserMsgLen" {
            len = value.uint()?;
        }
        Ok(name == "UserMsgLen")
    })?;
    Ok(len)
}

fn read_name(value: &mut Reader<'_>) -> Result<String> {
    let name = value.text()?;
    if name.len() > NAME_BYTES_MAX { Err(Malformed::Range) } else { Ok(name.to_owned()) }
}

/// Four or sixteen bytes; `None` for none.
fn read_ip(value: &mut Reader<'_>) -> Result<Option<IpAddr>> {
    let bytes = value.raw()?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(Some(IpAddr::from(v4)));
    }
    let v6 = <[u8; 16]>::try_from(bytes).map_err(|_| Malformed::Range)?;
    Ok(Some(IpAddr::from(v6).to_canonical()))
}

fn ip_bytes(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source { addr: Some([127, 0, 0, 1].into()), port: 9094, node: "me".into() }
    }

    #[test]
    fn messages_survive_the_way() {
        let v6: SocketAddr = "[::2]:7".parse().unwrap();
        let messages = [
            Message::Ping(Ping { seq: 7, node: "a".into(), source: source() }),
            Message::Ping(Ping { seq: u32::MAX, node: "a".into(), source: Source::default() }),
            Message::IndirectPing(IndirectPing {
                seq: 300,
                target: v6,
                node: "b".into(),
                nack: true,
                source: source(),
            }),
            Message::Ack { seq: 70_000 },
            Message::Nack { seq: 1 },
            Message::Suspect(Suspect { incarnation: 3, node: "a".into(), from: "b".into() }),
            Message::Dead(Dead { incarnation: 3, node: "a".into(), from: "a".into() }),
            Message::Alive(Alive {
                incarnation: 1,
                node: "a".repeat(200),
                addr: "10.1.2.3:9094".parse().unwrap(),
                meta: vec![0; 512],
                versions: VERSIONS,
            }),
            Message::User(vec![1, 2, 3]),
        ];
        for message in messages {
            let bytes = message.encode();
            assert_eq!(Message::decode(bytes[0], &bytes[1..]), Ok(message));
        }
    }

    #[test]
    fn a_ping_has_the_bytes_of_the_original() {
        let bytes = Message::Ping(Ping { seq: 5, node: "n".into(), source: source() }).encode();
        let expected = [
            b"\x00\x85\xa5SeqNo\x05\xa4Node\xa1n\xaaSourceAddr\xa4\x7f\x00\x00\x01".as_slice(),
            b"\xaaSourcePort\xcd\x23\x86\xaaSourceNode\xa2me",
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn nodes_and_headers_survive_the_way() {
        let node = Node {
            name: "a".into(),
            addr: "10.0.0.1:1".parse().unwrap(),
            meta: vec![],
            incarnation: 9,
            state: NodeState::Left,
            versions: VERSIONS,
        };
        let header = PushPullHeader { nodes: 1, user_bytes: 100_000, join: true };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        node.write(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(PushPullHeader::read(&mut reader), Ok(header));
        assert_eq!(Node::read(&mut reader), Ok(node));
        assert_eq!(reader.rest(), b"");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let named = |name: &str| {
            Message::Alive(Alive {
                incarnation: 1,
                node: name.into(),
                addr: "10.1.2.3:9094".parse().unwrap(),
                meta: vec![],
                versions: VERSIONS,
            })
            .encode()
        };
        for bytes in [named(""), named(&"x".repeat(256)), vec![kind::ALIVE, 0x80], vec![kind::COMPOUND, 0]] {
            assert!(Message::decode(bytes[0], &bytes[1..]).is_err(), "{bytes:?}");
        }
        let whole = named("a");
        for cut in 1..whole.len() {
            assert_eq!(Message::decode(whole[0], &whole[1..cut]), Err(Malformed::Truncated), "{cut}");
        }
    }
}
