//! Keeping the groups of a section current.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use crate::file::{FileCache, FileSdConfig, LOOK_INTERVAL};
use crate::group::TargetGroup;
use crate::http::HttpSdConfig;
use crate::sources::Sources;
use client::Client;

/// The groups of one section, live. Dropping it ends the watching.
pub struct Watch {
    /// One slot per mechanism, in the order of the configuration.
    slots: Receiver<Slots>,
    _tasks: JoinSet<()>,
}

type Slots = Vec<Arc<Vec<TargetGroup>>>;

impl Watch {
    /// All groups as of now.
    pub fn groups(&mut self) -> Vec<TargetGroup> {
        self.slots.borrow_and_update().iter().flat_map(|slot| slot.iter().cloned()).collect()
    }

    /// Returns when the groups have changed since [`Watch::groups`]; never, when they cannot change.
    pub async fn changed(&mut self) {
        if self.slots.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Starts watching. Static groups and files are there at once; HTTP endpoints answer later.
pub fn watch(sources: &Sources) -> Watch {
    let statics = sources.static_configs.iter().enumerate();
    let statics: Vec<TargetGroup> = statics.map(|(i, s)| s.group(i.to_string())).collect();
    let mut slots: Slots = vec![Arc::new(statics)];
    let mut caches = Vec::new();
    for config in &sources.file_sd_configs {
        let mut cache = FileCache::default();
        cache.refresh(config, true);
        slots.push(Arc::new(cache.groups().cloned().collect()));
        caches.push((slots.len() - 1, config.clone(), cache));
    }
    let http_at = slots.len();
    slots.resize_with(http_at + sources.http_sd_configs.len(), Arc::default);

    let (sender, receiver) = channel(slots);
    let sender = Arc::new(sender);
    let mut tasks = JoinSet::new();
    for (at, config, cache) in caches {
        tasks.spawn(watch_files(at, config, cache, sender.clone()));
    }
    for (i, config) in sources.http_sd_configs.iter().enumerate() {
        tasks.spawn(watch_http(http_at + i, config.clone(), sender.clone()));
    }
    Watch { slots: receiver, _tasks: tasks }
}

async fn watch_files(at: usize, config: FileSdConfig, mut cache: FileCache, sender: Arc<Sender<Slots>>) {
    let config = Arc::new(config);
    let refresh = config.refresh_interval.to_std().max(Duration::from_millis(1));
    let look = refresh.min(LOOK_INTERVAL);
    let mut since_refresh = Duration::ZERO;
    loop {
        tokio::time::sleep(look).await;
        since_refresh += look;
        let all = since_refresh >= refresh;
        if all {
            since_refresh = Duration::ZERO;
        }
        let config = config.clone();
        let work = move || {
            cache.refresh(&config, all);
            cache
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(back) => cache = back,
            Err(_) => return,
        }
        publish(at, cache.groups().cloned().collect(), &sender);
    }
}

async fn watch_http(at: usize, config: HttpSdConfig, sender: Arc<Sender<Slots>>) {
    let refresh = config.refresh_interval.to_std().max(Duration::from_millis(1));
    let client = match Client::new(&config.client, true) {
        Ok(client) => client,
        Err(e) => {
            tracing::error!("HTTP discovery of {} is off: {e}", config.url);
            return;
        }
    };
    loop {
        let answer = tokio::time::timeout(refresh.max(Duration::from_secs(1)), config.fetch(&client)).await;
        match answer.unwrap_or_else(|_| Err("no answer within the refresh interval".into())) {
            Ok(groups) => publish(at, groups, &sender),
            Err(e) => tracing::warn!("HTTP discovery of {} keeps the last good targets: {e}", config.url),
        }
        tokio::time::sleep(refresh).await;
    }
}

/// Wakes the reader only when something is different.
fn publish(at: usize, groups: Vec<TargetGroup>, sender: &Sender<Slots>) {
    sender.send_if_modified(|slots| match slots.get_mut(at) {
        Some(slot) if **slot != groups => {
            *slot = Arc::new(groups);
            true
        }
        _ => false,
    });
}
