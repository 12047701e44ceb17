//! A block: some thousand spans as columns, in five pages that are read one by one as needed.
//!
//! | page | columns | needed for |
//! |---|---|---|
//! | core | trace, start, duration, kind, status, service, name, parent's service | every search |
//! | ids | span id, parent id, flags, trace state, status message | traces, edges |
//! | context | resources and scopes, once each, and every row's codes | tags, traces |
//! | attributes | span attributes | tags, traces |
//! | events | events and links | tags, traces |
//!
//! The trace column holds numbers; what they stand for is the owner's business: in a part the n-th id of
//! its trace index, in a log record the n-th id of the record.

mod columns;
mod read;
mod write;

use std::sync::Arc;

use model::span::Span;

pub(crate) use columns::{Context, Core, Events, Ids};
pub(crate) use read::{BlockBytes, read_rows};
pub(crate) use write::encode;

use crate::head::{attribute_count, span_bytes};

/// Enough rows for columns to pay, few enough that one trace's spans are read quickly: they are scattered
/// over as many blocks as the trace has operations.
pub(crate) const BLOCK_SPANS_MAX: usize = 1024;

/// A block of large spans ends early: its pages stay far below the kernel's page limit.
const BLOCK_BYTES_MAX: usize = 16 << 20;

/// Columns stay below the codec's limit of values.
const BLOCK_ATTRIBUTES_MAX: usize = 1 << 20;

/// A span and, if it has a parent whose service is known, that service.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub span: Arc<Span>,
    pub parent_service: Option<Arc<str>>,
}

/// Decides where a block ends.
#[derive(Default)]
pub(crate) struct BlockBudget {
    spans: usize,
    bytes: usize,
    attributes: usize,
}

impl BlockBudget {
    /// Whether `span` still belongs to the block; counts it if so. The first one always does.
    pub fn admit(&mut self, span: &Span) -> bool {
        let next = BlockBudget {
            spans: self.spans + 1,
            bytes: self.bytes + span_bytes(span),
            attributes: self.attributes + attribute_count(span) + span.events.len() + span.links.len(),
        };
        let fits = next.spans <= BLOCK_SPANS_MAX
            && next.bytes <= BLOCK_BYTES_MAX
            && next.attributes <= BLOCK_ATTRIBUTES_MAX;
        if self.spans > 0 && !fits {
            return false;
        }
        *self = next;
        true
    }
}

/// The pages of one block.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct BlockPages {
    pub core: Vec<u8>,
    pub ids: Vec<u8>,
    pub context: Vec<u8>,
    pub attributes: Vec<u8>,
    pub events: Vec<u8>,
}

/// What is known of a row's parent.
const PARENT_NONE: u64 = 0;
const PARENT_SERVICE_KNOWN: u64 = 1;
const PARENT_SERVICE_UNKNOWN: u64 = 2;
