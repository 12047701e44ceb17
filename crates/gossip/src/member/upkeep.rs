//! What a member does now and again: joining whom it should know, waiting for the cluster to settle, and, in
//! the end, saying goodbye.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, interval, interval_at, timeout};

use super::Member;
use crate::address;
use crate::core::{Core, Peer};
use crate::peers::LostPeers;

/// User messages queued for gossip, above which the most told are forgotten, and how often that is looked at.
const QUEUE_KEEP: usize = 4_096;
const PRUNE_INTERVAL: Duration = Duration::from_secs(15 * 60);

const REFRESH_INTERVAL: Duration = Duration::from_secs(15);
const FORGET_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// So many equal counts of members in a row make a settled cluster.
const SETTLED_COUNTS: u32 = 3;

/// How often and how quickly goodbye is said before the process ends.
const GOODBYES_MAX: usize = 10;
const GOODBYE_PAUSE: Duration = Duration::from_millis(50);

impl Member {
    /// Joins whom it should know, now and again.
    pub(super) async fn keep_peers(self: &Arc<Self>) {
        let settings = &self.settings;
        let named = self.resolve().await;
        *self.lost() = LostPeers::new(&named, self.now());
        let joined = self.join(&named).await;
        self.find_lost();
        if joined == 0 && !named.is_empty() {
            tracing::warn!(
                "no peer could be joined; trying again every {:?}",
                settings.reconnect_interval.max(REFRESH_INTERVAL)
            );
        }
        let never = Duration::from_secs(u64::from(u32::MAX));
        let or_never = |d: Duration| if d.is_zero() { never } else { d };
        let start = |period| interval_at(Instant::now() + period, period);
        let mut reconnect = start(or_never(settings.reconnect_interval));
        let mut refresh = start(REFRESH_INTERVAL);
        let mut forget = start(FORGET_INTERVAL);
        let mut prune = start(PRUNE_INTERVAL);
        loop {
            tokio::select! {
                _ = reconnect.tick() => self.reconnect().await,
                _ = refresh.tick() => self.refresh().await,
                _ = forget.tick() => {
                    if !settings.reconnect_timeout.is_zero() {
                        self.lost().forget(self.now(), settings.reconnect_timeout);
                    }
                    let names = self.core().names();
                    let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
                    self.metrics.retain_peers(&mut measured, &names);
                }
                _ = prune.tick() => {
                    let pruned = self.core().prune(QUEUE_KEEP);
                    self.metrics.pruned.add(pruned as u64);
                }
            }
        }
    }

    pub(super) async fn resolve(&self) -> Vec<SocketAddr> {
        address::resolve(&self.settings.peers, self.address, self.settings.peers_resolve_timeout).await
    }

    /// Joins the cluster at each of these addresses; how many answered.
    pub(super) async fn join(self: &Arc<Self>, addresses: &[SocketAddr]) -> usize {
        let joins = addresses.iter().map(|&address| async move {
            let peer = Peer { name: String::new(), address };
            let joined = self.exchange(&peer, true).await;
            joined.inspect_err(|e| tracing::debug!(%address, "cannot join: {e}")).is_ok()
        });
        futures_util::future::join_all(joins).await.into_iter().filter(|joined| *joined).count()
    }

    /// Takes members off the list of the lost that joined us before we looked for them.
    fn find_lost(&self) {
        let mut lost = self.lost();
        self.peers().into_iter().for_each(|peer| lost.joined(peer.address));
    }

    pub(super) async fn reconnect(self: &Arc<Self>) {
        let lost = self.lost().addresses();
        let joined = self.join(&lost).await;
        self.find_lost();
        self.metrics.reconnections.add(joined as u64);
        self.metrics.reconnections_failed.add((lost.len() - joined) as u64);
    }

    /// Joins peers that names have come to stand for.
    pub(super) async fn refresh(self: &Arc<Self>) {
        let named = self.resolve().await;
        let members: BTreeSet<SocketAddr> = self.peers().into_iter().map(|peer| peer.address).collect();
        let missing: Vec<SocketAddr> =
            named.into_iter().filter(|address| !members.contains(address)).collect();
        let joined = self.join(&missing).await;
        self.metrics.refreshed.add(joined as u64);
        self.metrics.refresh_failed.add((missing.len() - joined) as u64);
    }

    pub(super) async fn settle(self: &Arc<Self>) {
        if self.is_settled() {
            return;
        }
        let period = self.settings.gossip_interval * 10;
        tracing::info!("waiting for gossip to settle, looking every {period:?}");
        let counting = async {
            let (mut last, mut equal) = (0, 0);
            let mut polls = interval(period.max(Duration::from_millis(1)));
            polls.tick().await;
            loop {
                polls.tick().await;
                if equal >= SETTLED_COUNTS {
                    return;
                }
                let count = self.core().living_count();
                equal = if count == last { equal + 1 } else { 0 };
                last = count;
            }
        };
        let is_steady = timeout(self.settings.settle_timeout, counting).await.is_ok();
        let members = self.core().living_count();
        if is_steady {
            tracing::info!(members, "gossip settled");
        } else {
            tracing::info!(members, "gossip not settled but continuing anyway");
        }
        self.settled.send_replace(true);
    }

    /// Says goodbye, as long as somebody listens.
    pub(super) async fn leave(self: &Arc<Self>) {
        self.step(Core::leave);
        for _ in 0..GOODBYES_MAX {
            if self.step(Core::say_goodbye) == 0 {
                return;
            }
            tokio::time::sleep(self.settings.gossip_interval.min(GOODBYE_PAUSE)).await;
        }
    }
}
