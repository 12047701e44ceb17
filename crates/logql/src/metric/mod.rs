//! Metric queries.
//!
//! Words: a *step* is an instant the query is evaluated at; the *window* of a step is `(t-range, t]`; a
//! *cell* is the time between two neighbouring window boundaries, whatever window they belong to. Every
//! window is a run of whole cells, so entries are folded into cells as they are read and windows are sums
//! over cells.

mod aggregate;
mod binary;
mod cells;
mod eval;
mod extract;
mod functions;
mod range;
pub mod series;

pub(crate) use eval::{Evaluated, Evaluator};
