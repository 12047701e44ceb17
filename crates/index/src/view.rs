//! What selection needs from an index, in memory or on disk.

use std::borrow::Cow;
use std::ops::ControlFlow;

use model::Labels;

use crate::IndexError;

/// Numbers one label set inside one index.
pub type SeriesId = u32;

/// Decides on one label value.
pub type KeepValue<'a> = dyn FnMut(&str) -> bool + 'a;

pub trait IndexView {
    /// Every series id, ascending.
    fn all(&self) -> Result<Vec<SeriesId>, IndexError>;

    /// How many distinct values `name` has.
    fn value_count(&self, name: &str) -> Result<usize, IndexError>;

    /// Ids of the series with this very pair, ascending; empty when nobody has it.
    fn postings(&self, name: &str, value: &str) -> Result<Cow<'_, [SeriesId]>, IndexError>;

    /// Appends to `out` the postings of each value of `name` that starts with `prefix` and that `keep`
    /// accepts. A series has one value per name, so nothing is appended twice; the order is by value.
    fn collect(
        &self,
        name: &str,
        prefix: &str,
        keep: &mut KeepValue<'_>,
        out: &mut Vec<SeriesId>,
    ) -> Result<(), IndexError>;

    /// Visits label names in order.
    fn visit_names(&self, visit: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<(), IndexError>;

    /// Visits the values of `name` in order.
    fn visit_values(
        &self,
        name: &str,
        visit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), IndexError>;

    /// Visits the labels of a series in order; an unknown id has none.
    fn visit_labels(&self, id: SeriesId, visit: &mut dyn FnMut(&str, &str)) -> Result<(), IndexError>;

    /// The label set of a series; an unknown id has the empty one.
    fn labels(&self, id: SeriesId) -> Result<Labels, IndexError>;
}
