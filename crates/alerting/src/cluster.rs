//! The engine's place among several Alertmanagers that share silences and the notification log.
//!
//! Every member gets every alert and would tell everybody. What keeps them from doing so is order and
//! patience: the member at position `n` of the names waits `n` times the peer timeout before it looks into
//! the notification log, which the members before it have filled and gossiped by then. Nobody needs to be
//! elected, and a member that is cut off tells on its own: at least once, and once when all is well.
//!
//! Invariant: how members find each other and what bytes travel between them is unknown here; see the
//! `gossip` crate for one way.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A state that members share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateKey {
    NotificationLog,
    Silences,
}

impl StateKey {
    pub const ALL: [StateKey; 2] = [StateKey::NotificationLog, StateKey::Silences];

    /// Its name in messages between members.
    pub fn as_str(self) -> &'static str {
        match self {
            StateKey::NotificationLog => "nfl",
            StateKey::Silences => "sil",
        }
    }

    pub fn from_name(name: &str) -> Option<StateKey> {
        StateKey::ALL.into_iter().find(|key| key.as_str() == name)
    }
}

/// What a group of Alertmanagers offers the engine.
pub trait Cluster: Send + Sync {
    /// Index by name among the living members.
    fn position(&self) -> usize;

    /// Resolves when the number of members has stopped changing, or when waiting for that took too long.
    fn settled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Tells the other members of a change; does not wait for them.
    fn broadcast(&self, key: StateKey, part: Vec<u8>);
}

/// No group at all: position 0, settled at once, and nobody to tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Cluster for Alone {
    fn position(&self) -> usize {
        0
    }

    fn settled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }

    fn broadcast(&self, _: StateKey, _: Vec<u8>) {}
}

/// The engine's seat in a cluster. Cheap to clone; [`Alone`] sits there until somebody is put in.
#[derive(Clone, Default)]
pub(crate) struct Seat(Arc<OnceLock<(Arc<dyn Cluster>, Duration)>>);

impl Seat {
    /// Takes the seat once and for all; `false` when it was taken before.
    pub fn take(&self, cluster: Arc<dyn Cluster>, peer_timeout: Duration) -> bool {
        self.0.set((cluster, peer_timeout)).is_ok()
    }

    fn cluster(&self) -> &dyn Cluster {
        self.0.get().map_or(&Alone, |(cluster, _)| cluster.as_ref())
    }

    pub async fn settled(&self) {
        self.cluster().settled().await;
    }

    pub fn broadcast(&self, key: StateKey, part: Vec<u8>) {
        self.cluster().broadcast(key, part);
    }

    /// Whether broadcasts reach anybody, so that making them pays.
    pub fn is_shared(&self) -> bool {
        self.0.get().is_some()
    }

    /// How long to let the members before us go first.
    pub fn turn(&self) -> Duration {
        let Some((cluster, peer_timeout)) = self.0.get() else { return Duration::ZERO };
        let position = u32::try_from(cluster.position()).unwrap_or(u32::MAX);
        peer_timeout.saturating_mul(position)
    }
}
