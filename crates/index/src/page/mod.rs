//! The immutable index of a part: a trio of writer, bytes and reader. `docs/format/index.md` draws it.
//!
//! Series are numbered in label order, so postings come out in result order, and neighbours share most of
//! their labels: a series is stored as what differs from the one before it.

mod layout;
mod pairs;
mod reader;
mod series;
mod symbols;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::IndexReader;
pub use writer::IndexWriter;
