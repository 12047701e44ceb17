//! Go's pattern syntax, with Perl's extensions as `regexp.Compile` has them.

mod class;
mod error;
mod escape;
mod literal;
mod lower;
mod parse;
mod tree;
mod unicode;

pub use error::Error;
pub(crate) use literal::{prefix, set};
pub(crate) use lower::lower;
pub(crate) use parse::parse;
pub(crate) use tree::Tree;
