//! Remote storage: samples sent to other servers as they come in, and other servers' series in our queries.
//!
//! ```text
//! Fanout ──► inner store
//!    └─────► Outbox (one log on disk) ──► Sender per remote ──► shards ──► HTTP
//! ReadFanout ◄── inner store, ◄── remote_read clients
//! ```
//!
//! `config` are the two sections of the configuration file. [`Fanout`] is a store that hands everything it
//! accepted to the [`Outbox`] as well; a sender per remote reads the outbox from its own durable place.
//!
//! Invariant: a remote that is slow or dead costs disk up to a bound, and neither memory nor anybody's time.

pub mod agent;
pub mod config;
mod fanout;
mod manager;
mod outbox;
mod read;
mod sender;
#[cfg(test)]
mod tests;

pub use agent::AgentStore;
pub use config::{Protocol, QueueConfig, RemoteReadConfig, RemoteWriteConfig};
pub use fanout::{Fanout, Queueing};
pub use manager::{Parts, Remotes};
pub use outbox::{Entry, Outbox, OutboxError, OutboxSettings, Payload, Place, ReaderId, Row};
pub use read::ReadFanout;
pub use sender::MetadataSource;
