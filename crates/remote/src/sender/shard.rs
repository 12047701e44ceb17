//! One queue of a remote: a series always comes to the same one, so its samples keep their order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::metrics::Amount;
use super::series::Prepared;
use crate::outbox::{Payload, Place};

/// A sample or exemplar on its way, and the record of the outbox it is from.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub series: Arc<Prepared>,
    pub t: i64,
    pub start: i64,
    pub payload: Payload,
    pub place: Place,
}

pub(crate) struct Shard {
    queue: Mutex<Queue>,
    /// Rung when there is something to look at.
    filled: Notify,
    /// Rung, for all shards of a remote, when something was delivered.
    pub room: Arc<Notify>,
    capacity: usize,
    batch: usize,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// When the oldest item came.
    since: Option<Instant>,
    /// The place of the first item that is being sent.
    sending: Option<Place>,
    sending_amount: Amount,
    /// Nothing more comes; what is there goes without waiting for company.
    ending: bool,
}

impl Shard {
    pub fn new(capacity: usize, batch: usize, room: Arc<Notify>) -> Shard {
        Shard { queue: Mutex::default(), filled: Notify::new(), room, capacity: capacity.max(batch), batch }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes as many of `items`, from the front, as there is room for.
    pub fn push(&self, items: &mut VecDeque<Item>) {
        let mut queue = self.queue();
        let count = self.capacity.saturating_sub(queue.items.len()).min(items.len());
        if count == 0 {
            return;
        }
        queue.since.get_or_insert_with(Instant::now);
        queue.items.extend(items.drain(..count));
        // Woken for the first, to set its alarm, and for a full batch.
        if queue.items.len() >= self.batch || queue.items.len() == count {
            self.filled.notify_one();
        }
    }

    /// The next batch: a full one, or what there is once the oldest has waited for `deadline`. `None` when
    /// the shard has ended.
    pub async fn take(&self, deadline: Duration) -> Option<Vec<Item>> {
        loop {
            let wait = {
                let mut queue = self.queue();
                let waited = queue.since.map(|since| since.elapsed());
                let due = waited.is_some_and(|waited| waited >= deadline) || queue.ending;
                if queue.items.len() >= self.batch || (due && !queue.items.is_empty()) {
                    return Some(queue.take(self.batch));
                }
                if queue.ending {
                    return None;
                }
                waited.map(|waited| deadline.saturating_sub(waited))
            };
            match wait {
                Some(wait) => drop(tokio::time::timeout(wait, self.filled.notified()).await),
                None => self.filled.notified().await,
            }
        }
    }

    /// The batch taken last has been dealt with.
    pub fn done(&self) {
        let mut queue = self.queue();
        queue.sending = None;
        queue.sending_amount = Amount::default();
        drop(queue);
        self.room.notify_one();
    }

    /// Lets the shard end when it is empty.
    pub fn end(&self) {
        self.queue().ending = true;
        self.filled.notify_one();
    }

    /// The place of the oldest item that has not been dealt with.
    pub fn oldest(&self) -> Option<Place> {
        let queue = self.queue();
        queue.sending.or_else(|| queue.items.front().map(|item| item.place))
    }

    /// What waits or is being sent.
    pub fn pending(&self) -> Amount {
        let queue = self.queue();
        let mut total = amount(queue.items.iter());
        total.samples += queue.sending_amount.samples;
        total.histograms += queue.sending_amount.histograms;
        total.exemplars += queue.sending_amount.exemplars;
        total
    }
}

impl Queue {
    fn take(&mut self, count: usize) -> Vec<Item> {
        let count = count.min(self.items.len());
        let batch: Vec<Item> = self.items.drain(..count).collect();
        self.sending = batch.first().map(|item| item.place);
        self.sending_amount = amount(batch.iter());
        self.since = if self.items.is_empty() { None } else { Some(Instant::now()) };
        batch
    }
}

/// How much of each kind there is.
pub(crate) fn amount<'a>(items: impl Iterator<Item = &'a Item>) -> Amount {
    let mut amount = Amount::default();
    for item in items {
        match item.payload {
            Payload::Float(_) => amount.samples += 1,
            Payload::Histogram(_) => amount.histograms += 1,
            Payload::Exemplar(_) => amount.exemplars += 1,
        }
    }
    amount
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    fn items(range: std::ops::Range<u64>) -> VecDeque<Item> {
        let series = Arc::new(Prepared { labels: Labels::empty(), hash: 0 });
        let item = |lsn| Item {
            series: series.clone(),
            t: lsn as i64,
            start: 0,
            payload: Payload::Float(0.0),
            place: Place { lsn, before: lsn },
        };
        range.map(item).collect()
    }

    #[tokio::test]
    async fn full_batches_go_at_once_and_the_rest_when_it_is_time() {
        let shard = Shard::new(5, 2, Arc::default());
        let mut more = items(0..7);
        shard.push(&mut more);
        assert_eq!((more.len(), shard.pending().samples, shard.oldest().unwrap().lsn), (2, 5, 0));
        const NEVER: Duration = Duration::from_secs(3600);
        assert_eq!(shard.take(NEVER).await.unwrap().len(), 2);
        // What is being sent still counts.
        assert_eq!((shard.oldest().unwrap().lsn, shard.pending().samples), (0, 5));
        shard.done();
        assert_eq!(shard.oldest().unwrap().lsn, 2);
        shard.push(&mut more);
        assert!(more.is_empty());
        for _ in 0..2 {
            assert_eq!(shard.take(NEVER).await.unwrap().len(), 2);
            shard.done();
        }
        assert_eq!(shard.take(Duration::ZERO).await.unwrap().len(), 1);
        shard.done();
        assert!(shard.oldest().is_none());
        shard.push(&mut items(9..10));
        shard.end();
        assert_eq!(shard.take(NEVER).await.unwrap().len(), 1);
        assert!(shard.take(NEVER).await.is_none());
    }
}
