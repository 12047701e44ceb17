//! Messages of the protocols we speak, as bytes and as values: one module per protocol.
//!
//! Invariant: no I/O and no policy. A decoder says what a message says or why it is malformed; limits that
//! guard memory are arguments, limits of the product live with the services.

pub mod alertmanager;
pub mod influx;
pub mod loki;
pub mod otlp;
pub mod protobuf;
pub mod remote;

/// The trait that encodes and decodes the messages of [`alertmanager`].
pub use prost;
