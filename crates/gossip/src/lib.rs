//! How Alertmanagers form a cluster: HashiCorp memberlist's protocol, on the wire and in behaviour.
//!
//! ```text
//!              ┌─────────── Member (tasks, sockets) ───────────┐
//! packets ◀──▶ │ envelope ◀─▶ message ◀─▶ Core (who is alive) │ ◀── broadcast
//! streams ◀──▶ │ full exchange, large messages, pings          │ ──▶ State (update, merge)
//!              └───────────────────────────────────────────────┘
//! ```
//!
//! Words: a *member* or *peer* is a process of the cluster; *gossip* is telling a few random members what
//! they may not know, in small packets, again and again; a *push/pull* is the exchange of everything with
//! one member; an *incarnation* orders what is said of a member; *suspicion* is the time a member has to
//! object before it counts as dead.
//!
//! Invariant: what the shared state means is unknown here: it is bytes that somebody merges.

mod address;
mod core;
mod crypt;
pub mod fuzz;
mod lzw;
mod member;
mod message;
mod metrics;
mod msgpack;
mod packet;
mod peers;
mod queue;
mod random;
mod stream;
mod suspicion;
mod tls;
mod transport;
mod ulid;

pub use address::{canonical, split as split_address};
pub use core::Peer;
pub use crypt::KeyRing;
pub use member::{Member, Settings, State};
pub use tls::Tls;
