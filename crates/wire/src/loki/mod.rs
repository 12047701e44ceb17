//! Loki's push protocol: snappy-compressed protobuf and JSON.
//!
//! Both encodings decode to the same [`PushStream`]s. Labels stay as the message has them: the protobuf form
//! carries a stream's labels as text (`{app="api"}`) that only a grammar can read, the JSON form as pairs.

mod json;
mod proto;

use std::fmt;

use model::LogEntry;

pub use json::decode_json;
pub use proto::{decode_proto, encode_proto};

/// One stream of a push request.
#[derive(Debug, Clone, PartialEq)]
pub struct PushStream {
    pub labels: PushLabels,
    pub entries: Vec<LogEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushLabels {
    /// `{app="api", env="prod"}`, not yet parsed.
    Text(String),
    Pairs(Vec<(String, String)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The body would be larger than `limit` bytes when decompressed.
    TooLarge {
        limit: usize,
    },
    Malformed(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::TooLarge { limit } => {
                write!(f, "decompressed request body size exceeds the limit of {limit} bytes")
            }
            DecodeError::Malformed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for DecodeError {}
