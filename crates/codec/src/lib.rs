//! Column and bit codecs: from slices of values to bytes and back, bit-exact, no I/O.
//!
//! Each column codec is a module with `encode(values, out)`, which appends one self-delimiting column, and
//! `decode(cursor, out)`, which reads it back. An encoder looks at the values once, prices its layouts and
//! keeps the cheapest; the first byte says which. General compression (zstd) is the storage page's
//! business: the layouts here turn numbers into small, repetitive bytes and leave the repetition to it.
//!
//! Decoders meet damaged and hostile bytes: they answer with a [`CodecError`], never panic, and never
//! allocate more than [`COLUMN_VALUES_MAX`] values' worth whatever a length field claims.

pub mod bits;
mod error;
pub mod floats;
pub mod histograms;
pub mod huffman;
pub mod residuals;
pub mod scalars;
pub mod strings;
pub mod timestamps;
pub mod u64s;
pub mod varint;

pub use bits::{BitReader, BitWriter};
pub use error::CodecError;
pub use strings::StringColumn;
pub use varint::{Cursor, unzigzag, write_bytes, write_ivarint, write_uvarint, zigzag};

/// The most values in one column. Layouts that spend no bytes per value (constants, regular timestamps)
/// would otherwise let a few bytes ask for any amount of memory.
pub const COLUMN_VALUES_MAX: usize = 1 << 22;

#[cfg(test)]
mod tests;
