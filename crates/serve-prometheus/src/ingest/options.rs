//! What flags and features say about data that comes in and goes out over HTTP.

use flags::{FlagError, Flags};

use super::MessageType;
use crate::flags::Features;

#[derive(Debug, Clone)]
pub struct Options {
    /// `--web.enable-remote-write-receiver`; also switches the other push endpoints on.
    pub remote_write: bool,
    /// `--web.remote-write-receiver.accepted-protobuf-messages`
    pub messages: Vec<MessageType>,
    /// `--web.enable-otlp-receiver`
    pub otlp: bool,
    /// `--enable-feature=type-and-unit-labels`
    pub type_and_unit_labels: bool,
    /// What happens to OTLP metrics that count since their last report.
    pub delta: Delta,
    /// `--query.lookback-delta`
    pub lookback_ms: i64,
    pub read: ReadLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delta {
    /// They are left out.
    #[default]
    Refused,
    /// `otlp-native-delta-ingestion`: stored as they are.
    Stored,
    /// `otlp-deltatocumulative`: added up, and stored as what that makes.
    AddedUp,
}

/// Limits of remote read.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Samples of one query; zero for no limit.
    pub samples_max: usize,
    /// Reads at a time; zero for no limit.
    pub concurrent_max: usize,
    /// Bytes of chunks in one frame of a streamed reply.
    pub frame_bytes_max: usize,
}

impl Options {
    pub fn from_flags(flags: &Flags, features: &Features) -> Result<Options, FlagError> {
        let messages = flags
            .get("web.remote-write-receiver.accepted-protobuf-messages")
            .split(',')
            .map(|name| MessageType::named(name.trim()).map_err(FlagError::Bad))
            .collect::<Result<_, _>>()?;
        let delta = match (
            features.is_on("otlp-deltatocumulative"),
            features.is_on("otlp-native-delta-ingestion"),
        ) {
            (true, true) => {
                let why = "cannot enable otlp-deltatocumulative and otlp-native-delta-ingestion features at the \
                           same time";
                return Err(FlagError::Bad(why.into()));
            }
            (true, false) => Delta::AddedUp,
            (false, true) => Delta::Stored,
            (false, false) => Delta::Refused,
        };
        Ok(Options {
            remote_write: flags.is_on("web.enable-remote-write-receiver")
                || features.is_on("remote-write-receiver"),
            messages,
            otlp: flags.is_on("web.enable-otlp-receiver") || features.is_on("otlp-write-receiver"),
            type_and_unit_labels: features.is_on("type-and-unit-labels"),
            delta,
            lookback_ms: flags.duration_ms("query.lookback-delta")?,
            read: ReadLimits {
                samples_max: flags.number("storage.remote.read-sample-limit")?,
                concurrent_max: flags.number("storage.remote.read-concurrent-limit")?,
                frame_bytes_max: flags.number::<usize>("storage.remote.read-max-bytes-in-frame")?.max(1),
            },
        })
    }
}
