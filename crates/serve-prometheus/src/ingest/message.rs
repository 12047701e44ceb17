//! The two versions of remote write.

/// The messages a receiver can accept, by the names flags and headers know them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    V1,
    V2,
}

impl MessageType {
    pub const ALL: [MessageType; 2] = [MessageType::V1, MessageType::V2];

    pub fn name(self) -> &'static str {
        match self {
            MessageType::V1 => "prometheus.WriteRequest",
            MessageType::V2 => "io.prometheus.write.v2.Request",
        }
    }

    pub fn named(name: &str) -> Result<MessageType, String> {
        MessageType::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
            let all = MessageType::list(&MessageType::ALL);
            format!("unknown type for remote write protobuf message {name}, supported: {all}")
        })
    }

    pub fn list(types: &[MessageType]) -> String {
        types.iter().map(|t| t.name()).collect::<Vec<_>>().join(", ")
    }
}
