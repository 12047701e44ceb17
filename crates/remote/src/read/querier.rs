//! A view of the local store and of what remotes answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use model::{Labels, MatchOp, Matcher, TimestampMs};
use storage::metrics::{SampleColumns, SeriesHandle};
use storage::{ErrorKind, Querier, StoreError};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::answer::RemoteSeries;
use super::client::ReadClient;
use super::merge::merge;

/// What one remote is asked for.
pub struct Ask {
    pub client: Arc<ReadClient>,
    pub mint: TimestampMs,
    pub maxt: TimestampMs,
    /// Added to what is asked, removed from what is answered.
    pub external: Arc<Vec<(String, String)>>,
    /// Selectors without these are not for this remote.
    pub required: Vec<(String, String)>,
}

/// Where the samples of a selected series are.
struct Source {
    local: Option<SeriesHandle>,
    remote: Vec<SampleColumns>,
}

pub struct MergedQuerier {
    inner: Arc<dyn Querier>,
    asks: Vec<Ask>,
    runtime: Handle,
    /// By token.
    sources: RwLock<Vec<Arc<Source>>>,
    warnings: Mutex<Vec<String>>,
}

impl MergedQuerier {
    pub fn new(inner: Arc<dyn Querier>, asks: Vec<Ask>, runtime: Handle) -> MergedQuerier {
        MergedQuerier { inner, asks, runtime, sources: RwLock::default(), warnings: Mutex::default() }
    }

    fn warn(&self, text: String) {
        let mut warnings = self.lock();
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks all remotes at once.
    fn fetch(&self, matchers: &[Matcher]) -> Vec<RemoteSeries> {
        let mut tasks = JoinSet::new();
        for ask in &self.asks {
            if let Some((matchers, added)) = ask.matchers(matchers) {
                let (client, mint, maxt) = (ask.client.clone(), ask.mint, ask.maxt);
                let task = async move {
                    let mut series = client.read(mint, maxt, &matchers).await?;
                    for one in series.iter_mut().filter(|_| !added.is_empty()) {
                        one.labels = one.labels.filter(|name| !added.iter().any(|a| a == name));
                    }
                    Ok::<_, String>(series)
                };
                tasks.spawn_on(task, &self.runtime);
            }
        }
        let mut all = Vec::new();
        while let Some(result) = self.runtime.block_on(tasks.join_next()) {
            match result {
                Ok(Ok(series)) => all.extend(series),
                Ok(Err(error)) => self.warn(format!("remote_read: {error}")),
                Err(error) => self.warn(format!("remote_read: {error}")),
            }
        }
        all
    }
}

impl Ask {
    /// What is sent for a selector, and the names of external labels it adds. `None`: not for this remote.
    fn matchers(&self, matchers: &[Matcher]) -> Option<(Vec<Matcher>, Vec<String>)> {
        let has = |name: &str, value: &str| {
            matchers.iter().any(|m| m.op == MatchOp::Equal && m.name == name && m.value == value)
        };
        if !self.required.iter().all(|(name, value)| has(name, value)) {
            return None;
        }
        let (mut sent, mut added) = (matchers.to_vec(), Vec::new());
        for (name, value) in self.external.iter() {
            // Whoever selects by an external label knows what he wants.
            if !matchers.iter().any(|m| m.name == *name) {
                sent.push(Matcher::equal(name, value));
                added.push(name.clone());
            }
        }
        Some((sent, added))
    }
}

impl Querier for MergedQuerier {
    fn select(&self, matchers: &[Matcher]) -> Result<Vec<SeriesHandle>, StoreError> {
        let local = self.inner.select(matchers)?;
        let mut remote = self.fetch(matchers);
        remote.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut found: Vec<(Labels, Source)> = Vec::with_capacity(local.len() + remote.len());
        let mut remote = remote.into_iter().peekable();
        let add_remote = |found: &mut Vec<(Labels, Source)>, one: RemoteSeries| match found.last_mut() {
            Some((labels, source)) if *labels == one.labels => source.remote.push(one.columns),
            _ => found.push((one.labels, Source { local: None, remote: vec![one.columns] })),
        };
        for handle in local {
            while let Some(one) = remote.next_if(|one| one.labels < handle.labels) {
                add_remote(&mut found, one);
            }
            found.push((handle.labels.clone(), Source { local: Some(handle), remote: Vec::new() }));
        }
        remote.for_each(|one| add_remote(&mut found, one));
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        let handles = found.into_iter().map(|(labels, source)| {
            sources.push(Arc::new(source));
            SeriesHandle { labels, token: sources.len() as u64 - 1 }
        });
        Ok(handles.collect())
    }

    fn read(
        &self,
        series: &SeriesHandle,
        mint: TimestampMs,
        maxt: TimestampMs,
        out: &mut SampleColumns,
    ) -> Result<(), StoreError> {
        let source = {
            let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
            usize::try_from(series.token).ok().and_then(|token| sources.get(token).cloned())
        };
        let unknown = || StoreError::new(ErrorKind::Invalid, "a series of another querier");
        let source = source.ok_or_else(unknown)?;
        out.clear();
        if let Some(local) = &source.local {
            self.inner.read(local, mint, maxt, out)?;
        }
        source.remote.iter().for_each(|columns| merge(out, columns, mint, maxt));
        Ok(())
    }

    fn label_names(&self, matchers: &[Matcher]) -> Result<Vec<String>, StoreError> {
        // The protocol has no question for it.
        self.warn("not implemented".into());
        self.inner.label_names(matchers)
    }

    fn label_values(&self, name: &str, matchers: &[Matcher]) -> Result<Vec<String>, StoreError> {
        self.warn("not implemented".into());
        self.inner.label_values(name, matchers)
    }

    fn warnings(&self) -> Vec<String> {
        let mut all = self.inner.warnings();
        all.extend(self.lock().iter().cloned());
        all
    }
}
