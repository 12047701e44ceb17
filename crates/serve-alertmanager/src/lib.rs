//! The Alertmanager front door: configuration file, flags, API v2 and pages.
//!
//! Everything that decides anything lives in `alerting` (routes, groups, silences) and `notify` (how
//! messages look and travel); this crate reads the file, fills in what the global section says, and
//! translates HTTP.

mod cluster;
mod config;
mod flags;
pub mod fuzz;
mod gate;
mod handlers;
mod model;
mod routes;
mod settings;
mod start;
mod state;
mod stream;

#[cfg(test)]
mod tests;

pub use crate::config::{Config, Loaded, check, load};
pub use crate::flags::FLAGS;
pub use crate::settings::Settings;
pub use crate::start::{Parts, start};
