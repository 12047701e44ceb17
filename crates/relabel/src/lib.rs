//! Relabelling: the small rewriting language over label sets that targets, samples, alerts and log
//! streams pass through.
//!
//! `config` is a rule as written in YAML, checked once; `process` applies rules to labels; `md5` is
//! the hash that `hashmod` has always used, so that shards stay where they are.
//!
//! Invariant: no I/O, and applying rules cannot fail: everything that can be wrong is refused when
//! the configuration is read.

mod config;
mod md5;
mod process;
#[cfg(test)]
mod tests;

pub use config::{Action, InvalidRelabelConfig, RelabelConfig};
pub use process::{process, process_step};
