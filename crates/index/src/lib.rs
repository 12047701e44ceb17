//! Finding series by labels. Shared by the stores whose data hangs on label sets (metrics series,
//! log streams), so it knows neither samples nor lines, only label sets and dense numeric ids.
//!
//! Words: a *series id* numbers one label set inside one index. *Postings* are the ascending ids of the
//! series that carry one label pair. A *dictionary* holds label values in order, which is what lets a
//! regular expression with a literal prefix look at a small range only.
//!
//! Two indexes implement [`IndexView`]:
//! - [`LiveIndex`] grows and shrinks in memory while data arrives;
//! - [`page::IndexReader`] reads the immutable page that [`page::IndexWriter`] made for a part. It works
//!   on borrowed bytes (usually a memory map) and decodes only what a query touches.
//!
//! [`select`](select::select) and its companions answer matchers over any view.
//!
//! Invariants: no I/O; ids handed out are never reused within one index; damaged bytes are errors.

mod bytes;
mod error;
pub mod live;
pub mod page;
pub mod postings;
pub mod select;
mod slots;
mod view;

pub use error::IndexError;
pub use live::LiveIndex;
pub use page::{IndexReader, IndexWriter};
pub use select::{label_names, label_values, select};
pub use slots::{PAGE as SLOTS_PAGE, Slots};
pub use view::{IndexView, SeriesId};
