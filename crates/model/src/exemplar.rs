//! Exemplars: a pointer from one observation to its trace.

use crate::{Labels, TimestampMs};

#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    pub labels: Labels,
    pub value: f64,
    /// When absent in the exposition, the sample's own time stands in.
    pub timestamp: Option<TimestampMs>,
}
