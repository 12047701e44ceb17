//! Go's regular expressions (RE2 syntax) on the `regex-automata` engine.
//!
//! Purpose: one place that knows where Go's dialect and Rust's differ, so that matchers, relabelling,
//! log filters and templates all accept and match exactly what the original accepts and matches.
//! `syntax` rewrites a Go pattern into an equivalent Rust one (ASCII classes, literal braces, `\Q…\E`,
//! octal escapes) and refuses what Go refuses, with Go's error texts.

mod plain;
mod regex;
mod syntax;

pub use regex::{Captures, Regex};
pub use syntax::Error;
