//! Where targets come from: static lists, files and HTTP endpoints, each giving groups of labels.
//!
//! `sources` is the part of a configuration section that lists them, `watch` keeps the groups current,
//! `file` and `http` read the two changing kinds. `client` is the HTTP client as every configuration
//! section describes it; scraping and alert delivery use it too. `section` lets one YAML mapping be the
//! sum of several types, as Prometheus inlines client options and discovery lists in its sections.
//!
//! The other mechanisms of Prometheus are recognised by name and refused with an error that says what to
//! use instead.

pub mod client;
pub mod file;
mod group;
pub mod http;
pub mod section;
mod sources;
mod watch;

pub use group::{ADDRESS_LABEL, StaticConfig, TargetGroup, check_address};
pub use sources::Sources;
pub use watch::{Watch, watch};
