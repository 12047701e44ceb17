//! What was told to whom lately: for people who ask whether a message went out, what it said, and what the
//! other side answered.
//!
//! The history lives in memory and is bounded twice, by entries and by bytes; the oldest go first. It is not
//! the notification log: nothing is decided by it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Labels, TimestampNs};

use crate::manager::lock;
use crate::notification::Reason;

/// Notifications that are remembered.
pub const HISTORY_ENTRIES_MAX: usize = 2_000;

/// Bytes of all of them together.
pub const HISTORY_BYTES_MAX: usize = 16 << 20;

/// Bytes kept of one rendered message, of one answer and of one error, each.
pub const HISTORY_TEXT_BYTES_MAX: usize = 32 << 10;

/// What one entry costs beside its texts.
const ENTRY_BYTES: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    Sent,
    Failed,
    /// At least one attempt failed and another one will follow.
    Retrying,
}

impl DeliveryStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryStatus::Sent => "sent",
            DeliveryStatus::Failed => "failed",
            DeliveryStatus::Retrying => "retrying",
        }
    }
}

/// One notification to one integration, with all its attempts.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Grows with every delivery, also across restarts.
    pub id: u64,
    /// When the first attempt began.
    pub at: TimestampNs,
    pub receiver: String,
    /// The kind, `webhook`.
    pub integration: &'static str,
    /// Which of the receiver's integrations of that kind.
    pub index: usize,
    pub group_key: String,
    pub group_labels: Labels,
    pub reason: Reason,
    pub status: DeliveryStatus,
    pub attempts: u32,
    /// From the beginning of the first attempt to the end of the last one.
    pub duration: Duration,
    pub firing: usize,
    pub resolved: usize,
    /// The message of the last attempt, cut at [`HISTORY_TEXT_BYTES_MAX`].
    pub rendered: String,
    /// What the other side answered to it.
    pub answer: String,
    /// Empty after success.
    pub error: String,
}

/// What the last attempt of an integration came to.
#[derive(Debug, Clone, Default)]
pub struct LastAttempt {
    pub at: TimestampNs,
    pub duration: Duration,
    /// Empty after success.
    pub error: String,
}

/// Which entries to show.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    pub limit: usize,
    pub receiver: Option<String>,
    pub group_key: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first; ids without gaps.
    entries: VecDeque<Arc<Delivery>>,
    bytes: usize,
    next_id: u64,
    /// By `receiver/kind/index`.
    last: BTreeMap<String, LastAttempt>,
}

impl History {
    /// `first_id` lies above all ids of earlier processes, as milliseconds of the clock do.
    pub fn new(first_id: u64) -> History {
        History { state: Mutex::new(State { next_id: first_id, ..State::default() }) }
    }

    /// Adds a delivery (with `id` 0) or changes the one with its id; returns the id.
    pub fn put(&self, mut delivery: Delivery) -> u64 {
        for text in [&mut delivery.rendered, &mut delivery.answer, &mut delivery.error] {
            cut(text);
        }
        let mut state = lock(&self.state);
        let state = &mut *state;
        if delivery.id == 0 {
            delivery.id = state.next_id;
            state.next_id += 1;
            state.bytes += size(&delivery);
            let id = delivery.id;
            state.entries.push_back(Arc::new(delivery));
            state.shrink();
            return id;
        }
        let id = delivery.id;
        // One that was dropped in the meantime stays dropped.
        let index = state.entries.front().and_then(|first| usize::try_from(id.checked_sub(first.id)?).ok());
        if let Some(slot) = index.and_then(|index| state.entries.get_mut(index)) {
            state.bytes = state.bytes + size(&delivery) - size(slot);
            *slot = Arc::new(delivery);
            state.shrink();
        }
        id
    }

    /// Notes what the last attempt of an integration came to; `name` is `receiver/kind/index`.
    pub fn attempted(&self, name: &str, mut attempt: LastAttempt) {
        cut(&mut attempt.error);
        let mut state = lock(&self.state);
        match state.last.get_mut(name) {
            Some(slot) => *slot = attempt,
            None => {
                state.last.insert(name.to_owned(), attempt);
            }
        }
    }

    pub fn last(&self, name: &str) -> Option<LastAttempt> {
        lock(&self.state).last.get(name).cloned()
    }

    /// Forgets integrations that are no longer configured.
    pub fn keep(&self, is_configured: impl Fn(&str) -> bool) {
        lock(&self.state).last.retain(|name, _| is_configured(name));
    }

    /// Newest first.
    pub fn query(&self, query: &HistoryQuery) -> Vec<Arc<Delivery>> {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|w| w == value);
        lock(&self.state)
            .entries
            .iter()
            .rev()
            .filter(|d| is(&query.receiver, &d.receiver) && is(&query.group_key, &d.group_key))
            .take(query.limit)
            .cloned()
            .collect()
    }

    /// Entries and bytes held.
    pub fn size(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.entries.len(), state.bytes)
    }
}

impl State {
    fn shrink(&mut self) {
        while self.entries.len() > HISTORY_ENTRIES_MAX || self.bytes > HISTORY_BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= size(&oldest);
        }
    }
}

fn size(delivery: &Delivery) -> usize {
    ENTRY_BYTES
        + delivery.receiver.len()
        + delivery.group_key.len()
        + delivery.group_labels.as_packed().len()
        + delivery.rendered.len()
        + delivery.answer.len()
        + delivery.error.len()
}

/// Cuts a text at the limit, between characters, and says so.
fn cut(text: &mut String) {
    const MARK: &str = "…";
    if text.len() > HISTORY_TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(HISTORY_TEXT_BYTES_MAX - MARK.len()));
        text.push_str(MARK);
        text.shrink_to_fit();
    }
}
