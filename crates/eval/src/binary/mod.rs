//! Operations between two vectors, and between a vector and a scalar.
//!
//! `operator` computes one pair of values; `matching` finds the pairs of `+`, `==` and their kin; `set`
//! is `and`, `or`, `unless`.

mod matching;
mod operator;
mod set;
mod signature;

pub use matching::{BinaryOptions, Cardinality, match_vectors, vector_scalar};
pub use operator::{Operator, scalars};
pub use set::{SetOperator, set_operation};
pub use signature::Signature;
