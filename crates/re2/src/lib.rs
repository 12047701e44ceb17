//! Go's regular expressions (RE2 syntax) on the `regex-automata` engine.
//!
//! Purpose: one place that knows where Go's dialect and Rust's differ, so that matchers, relabelling,
//! log filters and templates all accept and match exactly what the original accepts and matches.
//!
//! ```text
//! pattern ──syntax: Go's grammar, limits, error texts──▶ tree ──lower──▶ engine's form ──▶ Regex
//! ```
//!
//! Nothing of the engine's own pattern syntax is used. What is known to differ: tables of scripts and
//! categories are of Unicode 16 (Go 1.27 has 17), and compiled programs are limited to 10 MiB, so that a few
//! huge repetitions of huge classes are refused which Go accepts.

mod expand;
mod plain;
mod regex;
mod syntax;

pub use regex::{Captures, Regex};
pub use syntax::Error;
