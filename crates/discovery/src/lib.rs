//! Where targets come from: static lists, files and HTTP endpoints, each giving groups of labels.
//!
//! `sources` is the part of a configuration section that lists them, `watch` keeps the groups current,
//! `file` and `http` read the two changing kinds.
//!
//! The other mechanisms of Prometheus are recognised by name and refused with an error that says what to
//! use instead.

pub mod file;
mod group;
pub mod http;
mod sources;
mod watch;

pub use group::{ADDRESS_LABEL, StaticConfig, TargetGroup, check_address};
pub use sources::Sources;
pub use watch::{Watch, watch};
