//! The engine: one thread that looks, reads, and hands batches to the sender.
//!
//! Each turn of the loop reads what is dirty until the collecting batch is full, hands the batch over when
//! it is full or old and nothing is on its way, and then waits for the next thing to happen: a change of a
//! file, an acknowledgement, a journal entry, a deadline. While a batch is on its way and the next one is
//! full, nothing is read; files are still opened as they appear, so that what is rotated away meanwhile is
//! not missed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use discovery::Watch;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, Outgoing};
use crate::config::Config;
use crate::file::{FollowedFile, Places, ReadEnd, find_renamed};
use crate::journal::{Journal, JournalLine};
use crate::metrics::Metrics;
use crate::pending::Pending;
use crate::positions::{Position, Positions};
use crate::sender::{self, Destination};
use crate::source::{FileSource, Intake, JournalSource, Rate};
use crate::stages::Pipeline;
use crate::status::{DroppedTarget, Status, TargetStatus};
use crate::targets::{FileTarget, file_targets};
use crate::watcher::Watcher;

/// How long changes are collected before files are read: many small writes cost one wake-up.
const CHANGES_PAUSE: Duration = Duration::from_millis(100);

/// The shortest time between two looks for new files.
const SCAN_PAUSE: Duration = Duration::from_secs(1);

/// How often files are looked at when not all of them can be watched.
const POLL_PAUSE: Duration = Duration::from_secs(1);

/// How often a file that was renamed away is looked at.
const DRAIN_PAUSE: Duration = Duration::from_millis(300);

/// What a stop waits for the last batch. It is kept in a file, so nothing is lost by leaving.
const STOP_WAIT: Duration = Duration::from_millis(800);

/// Journal lines that wait to be taken.
const JOURNAL_LINES_MAX: usize = 256;

/// A running engine. Dropping it stops it.
pub struct Tailer {
    stop: CancellationToken,
    status: Arc<Mutex<Status>>,
    thread: Option<JoinHandle<()>>,
}

impl Tailer {
    /// Starts following. Fails when positions cannot be read or a client cannot be set up.
    pub fn start(config: Config, metrics: Arc<Metrics>) -> Result<Tailer, String> {
        let destinations = config.all_clients().map(Destination::new).collect::<Result<Vec<_>, _>>()?;
        let path = &config.positions.filename;
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        let positions = Positions::load(path, config.positions.ignore_invalid_yaml)?;
        let (stop, status) = (CancellationToken::new(), Arc::new(Mutex::new(Status::default())));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| format!("starting the reader: {e}"))?;
        let (token, shown) = (stop.clone(), status.clone());
        let body = move || {
            runtime.block_on(async move {
                let (to_sender, batches) = channel(1);
                let (to_engine, settled) = channel(1);
                let sending = tokio::spawn(sender::run(destinations, batches, to_engine, metrics.clone()));
                match Engine::new(config, metrics, positions, to_sender, shown) {
                    Ok(engine) => Box::pin(engine.run(token, settled)).await,
                    Err(error) => tracing::error!("following logs: {error}"),
                }
                sending.abort();
            });
        };
        let thread = std::thread::Builder::new().name("tail".into()).spawn(body);
        let thread = thread.map_err(|e| format!("starting the reader: {e}"))?;
        Ok(Tailer { stop, status, thread: Some(thread) })
    }

    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops reading, waits a moment for what is on its way, and ends. Blocks.
    pub fn stop(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that follows logs panicked");
        }
    }
}

impl Drop for Tailer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Target and path.
type SourceKey = (String, PathBuf);

struct Engine {
    config: Config,
    metrics: Arc<Metrics>,
    watches: Vec<Watch>,
    hostname: String,
    targets: Vec<FileTarget>,
    dropped: Vec<DroppedTarget>,
    files: BTreeMap<SourceKey, FileSource>,
    /// By target.
    places: HashMap<String, Places>,
    journals: Vec<JournalSource>,
    journal_lines: Receiver<JournalLine>,
    intake: Intake,
    positions: Positions,
    /// Positions of what is on its way or acknowledged.
    handed_over: BTreeMap<String, Position>,
    gone: Vec<String>,
    pending: Pending,
    to_sender: Sender<Outgoing>,
    in_flight: bool,
    watcher: Option<Watcher>,
    /// Files that could not be opened, so that this is said once.
    unreadable: BTreeSet<PathBuf>,
    status: Arc<Mutex<Status>>,
    batch_bytes_max: usize,
    batch_wait: Duration,
}

impl Engine {
    fn new(
        config: Config,
        metrics: Arc<Metrics>,
        positions: Positions,
        to_sender: Sender<Outgoing>,
        status: Arc<Mutex<Status>>,
    ) -> Result<Engine, String> {
        let watches = config.scrape_configs.iter().map(|scrape| discovery::watch(&scrape.sources)).collect();
        let limits = &config.limits_config;
        let rate = limits
            .readline_rate_enabled
            .then(|| Rate::new(limits.readline_rate, limits.readline_burst, limits.readline_rate_drop));
        let intake = Intake::new(metrics.clone(), limits.max_line_size_truncate, rate);
        let watcher = Watcher::new().map_err(|e| tracing::warn!("files are polled, no inotify: {e}")).ok();
        let (line_sender, journal_lines) = channel(JOURNAL_LINES_MAX);
        let mut journals = Vec::new();
        for (number, scrape) in config.scrape_configs.iter().enumerate() {
            if scrape.journal.is_none() {
                continue;
            }
            let key = format!("journal-{}", scrape.job_name);
            let cursor = positions.get(&key).map(|position| position.text.clone());
            journals.push(JournalSource {
                scrape: number,
                pipeline: Pipeline::compile(&scrape.pipeline_stages, &metrics.custom)?,
                cursors: Default::default(),
                running: Journal::start(number, scrape, cursor, line_sender.clone()),
                key,
            });
        }
        let batch_bytes_max = config.all_clients().map(|client| client.batchsize).min().unwrap_or(1 << 20);
        let batch_wait = config.all_clients().map(|client| client.batchwait.to_std()).min();
        Ok(Engine {
            watches,
            hostname: hostname(),
            targets: Vec::new(),
            dropped: Vec::new(),
            files: BTreeMap::new(),
            places: HashMap::new(),
            journals,
            journal_lines,
            intake,
            pending: Pending::new(&config.positions.filename),
            handed_over: BTreeMap::new(),
            positions,
            gone: Vec::new(),
            to_sender,
            in_flight: false,
            watcher,
            unreadable: BTreeSet::new(),
            status,
            batch_bytes_max,
            batch_wait: batch_wait.unwrap_or(Duration::from_secs(1)),
            config,
            metrics,
        })
    }

    async fn run(mut self, stop: CancellationToken, mut settled: Receiver<Outgoing>) {
        // What was on its way at the last end comes first, since it says how far sources are.
        if !self.resend(&stop, &mut settled).await {
            return;
        }
        let sync_period = self.config.target_config.sync_period.to_std().max(SCAN_PAUSE);
        let (mut next_scan, mut last_scan) = (Instant::now(), None);
        let mut read_after: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if now >= next_scan {
                self.scan();
                (next_scan, last_scan) = (Instant::now() + sync_period, Some(Instant::now()));
            }
            if read_after.is_some_and(|at| now >= at) {
                read_after = None;
            }
            let more = read_after.is_none() && self.read_round(now);
            self.release_due(now);
            if !self.in_flight && self.batch_is_due(now) && !self.hand_over().await {
                return;
            }
            if more && !self.is_blocked(now) {
                if let Ok(outgoing) = settled.try_recv() {
                    self.settle(outgoing);
                }
                // Lets the sender go on.
                tokio::task::yield_now().await;
                if stop.is_cancelled() {
                    break;
                }
                continue;
            }
            let wake = self.next_deadline(now, next_scan, read_after, more);
            let full = self.batch_is_full();
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(wake.into()) => {}
                outgoing = settled.recv() => match outgoing {
                    Some(outgoing) => self.settle(outgoing),
                    None => return,
                },
                changes = changes(&mut self.watcher), if read_after.is_none() => {
                    if self.note(changes) {
                        // Not at once: a directory may be a busy one.
                        let earliest = last_scan.map_or(now, |last| last + SCAN_PAUSE);
                        next_scan = next_scan.min(earliest.max(now + CHANGES_PAUSE));
                    }
                    read_after = Some(now + CHANGES_PAUSE);
                }
                Some(line) = self.journal_lines.recv(), if !full => self.take_journal(line),
            }
        }
        self.finish(&mut settled).await;
    }

    /// Pushes what was on its way when the process ended. False when stopped meanwhile.
    async fn resend(&mut self, stop: &CancellationToken, settled: &mut Receiver<Outgoing>) -> bool {
        let Some(outgoing) = self.pending.load() else { return true };
        let known: BTreeSet<&str> = self.config.all_clients().map(|client| client.url.trim()).collect();
        if !outgoing.requests.iter().all(|request| known.contains(request.url.as_str())) {
            // The clients are others now; the lines are read and pushed again.
            return true;
        }
        if self.to_sender.send(outgoing).await.is_err() {
            return false;
        }
        self.in_flight = true;
        tokio::select! {
            () = stop.cancelled() => false,
            outgoing = settled.recv() => outgoing.map(|outgoing| self.settle(outgoing)).is_some(),
        }
    }

    /// A clean end: what was read is pushed as far as there is time.
    async fn finish(mut self, settled: &mut Receiver<Outgoing>) {
        let end = tokio::time::Instant::now() + STOP_WAIT;
        for _ in 0..2 {
            if self.in_flight {
                match tokio::time::timeout_at(end, settled.recv()).await {
                    Ok(Some(outgoing)) => self.settle(outgoing),
                    _ => return,
                }
            }
            if !self.hand_over().await || !self.in_flight {
                return;
            }
        }
        if let Ok(Some(outgoing)) = tokio::time::timeout_at(end, settled.recv()).await {
            self.settle(outgoing);
        }
    }

    fn batch_is_full(&self) -> bool {
        self.intake.batch.bytes >= self.batch_bytes_max
    }

    fn batch_is_due(&self, now: Instant) -> bool {
        let aged = self.intake.batch.since.is_some_and(|since| now >= since + self.batch_wait);
        aged || self.batch_is_full() || !self.gone.is_empty()
    }

    /// Whether reading must wait: for room, or for the rate limit.
    fn is_blocked(&mut self, now: Instant) -> bool {
        let limited = self.intake.rate.as_mut().is_some_and(|rate| rate.blocked_until(now).is_some());
        limited || self.batch_is_full()
    }

    fn next_deadline(
        &mut self,
        now: Instant,
        next_scan: Instant,
        read_after: Option<Instant>,
        more: bool,
    ) -> Instant {
        let mut wake = next_scan;
        let mut consider = |at: Option<Instant>| wake = at.map_or(wake, |at| wake.min(at));
        consider(read_after);
        if !self.in_flight {
            consider(self.intake.batch.since.map(|since| since + self.batch_wait));
        }
        if more && let Some(rate) = &mut self.intake.rate {
            consider(rate.blocked_until(now));
        }
        if self.intake.batch.bytes < self.batch_bytes_max {
            consider(self.files.values().filter_map(|file| file.pipeline.deadline()).min());
            consider(self.journals.iter().filter_map(|journal| journal.pipeline.deadline()).min());
            consider(self.files.values().any(|file| file.draining).then(|| now + DRAIN_PAUSE));
        }
        let unwatched = self.watcher.as_ref().is_none_or(|watcher| watcher.incomplete);
        consider(unwatched.then(|| now + POLL_PAUSE));
        wake
    }

    /// Looks for new targets and files, and at all known ones.
    fn scan(&mut self) {
        let mut targets = Vec::new();
        self.dropped.clear();
        for (number, watch) in self.watches.iter_mut().enumerate() {
            let scrape = &self.config.scrape_configs[number];
            targets.extend(file_targets(number, scrape, &watch.groups(), &self.hostname, &mut self.dropped));
        }
        let keys: BTreeSet<String> = targets.iter().map(FileTarget::key).collect();
        self.files.retain(|(target, _), _| keys.contains(target));
        self.places.retain(|target, _| keys.contains(target));
        let mut directories = BTreeSet::new();
        for target in &targets {
            let (mut files, dirs) = target.glob.find();
            directories.extend(dirs);
            files.retain(|path| target.exclude.as_ref().is_none_or(|exclude| !exclude.matches(path)));
            self.follow(target, &files);
        }
        if let Some(watcher) = &mut self.watcher {
            watcher.watch_directories(directories);
        }
        self.targets = targets;
        self.forget_deleted();
        for (key, file) in &mut self.files {
            file.dirty = true;
            look(file, self.places.entry(key.0.clone()).or_default());
            if let Some(watcher) = &mut self.watcher {
                watcher.watch_file(&key.1);
            }
        }
        self.remember_files();
        self.show();
    }

    /// Writes down which files have come behind the paths since the saved positions, whatever is on its
    /// way: a file that has been seen must be found again after a restart, even if it was renamed by then.
    fn remember_files(&mut self) {
        let mut known = BTreeMap::new();
        for file in self.files.values_mut() {
            let key = file.key();
            match self.positions.get(&key) {
                Some(position) => {
                    let Some((id, _)) = position.file else { continue };
                    file.followed.forget_before(id);
                    let next = file.followed.after(id);
                    if next != position.next {
                        known.insert(key, Position { next, ..position.clone() });
                    }
                }
                // Nothing of it has been pushed, so all of it is still to be read.
                None => drop(file.begin.clone().map(|begin| known.insert(key, begin))),
            }
        }
        if let Err(error) = self.positions.commit(known, &[]) {
            tracing::warn!("writing positions: {error}");
        }
    }

    /// Positions of files that are nowhere any more go, so that their number stays bounded.
    fn forget_deleted(&mut self) {
        let followed: BTreeSet<String> = self.files.values().map(FileSource::key).collect();
        let nowhere = |key: &&str| {
            let path = std::path::Path::new(*key);
            let renamed = self.positions.saved(key).and_then(|saved| find_renamed(path, saved.file?.0));
            path.is_absolute() && !followed.contains(*key) && !path.exists() && renamed.is_none()
        };
        let gone: Vec<String> = self.positions.keys().filter(nowhere).map(str::to_string).collect();
        self.gone.extend(gone);
    }

    /// Opens the target's files that are not followed yet.
    fn follow(&mut self, target: &FileTarget, files: &BTreeSet<PathBuf>) {
        let key = target.key();
        let places = self.places.entry(key.clone()).or_default();
        // Files that no name leads to any more need not be known.
        let mut alive: BTreeSet<_> = self
            .files
            .iter()
            .filter(|((of, _), _)| *of == key)
            .flat_map(|(_, file)| file.followed.ids())
            .collect();
        for path in files {
            if let Ok(metadata) = std::fs::metadata(path) {
                alive.insert(crate::file::FileId::of(&metadata));
            }
        }
        places.retain(|id, _| alive.contains(id));
        let limit = usize::try_from(self.config.limits_config.max_line_size.0).unwrap_or(usize::MAX);
        let limit = if limit == 0 { crate::LINE_BYTES_MAX } else { limit.min(crate::LINE_BYTES_MAX) };
        for path in files {
            let source_key = (key.clone(), path.clone());
            if self.files.contains_key(&source_key) {
                continue;
            }
            let saved = self.positions.saved(&path.display().to_string());
            let opened = FollowedFile::open(path, saved, places, limit);
            let stages = &self.config.scrape_configs[target.scrape].pipeline_stages;
            match (opened, Pipeline::compile(stages, &self.metrics.custom)) {
                (Ok(followed), Ok(pipeline)) => {
                    let mut labels = target.labels.clone();
                    labels.insert("filename".into(), path.display().to_string());
                    let mut source =
                        FileSource { followed, labels, pipeline, begin: None, dirty: true, draining: false };
                    source.begin = source.position();
                    self.unreadable.remove(path);
                    self.files.insert(source_key, source);
                    if let Some(watcher) = &mut self.watcher {
                        watcher.watch_file(path);
                    }
                }
                (Err(error), _) => {
                    if self.unreadable.insert(path.clone()) {
                        self.metrics.targets_failed.with(&["open"]).inc();
                        tracing::warn!("cannot follow {}: {error}", path.display());
                    }
                }
                (_, Err(error)) => tracing::warn!("cannot follow {}: {error}", path.display()),
            }
        }
    }

    /// Marks what changed; true when names came or went.
    fn note(&mut self, changes: std::io::Result<crate::watcher::Changes>) -> bool {
        let changes = match changes {
            Ok(changes) => changes,
            Err(error) => {
                tracing::warn!("files are polled, inotify failed: {error}");
                self.watcher = None;
                return true;
            }
        };
        for ((target, path), file) in &mut self.files {
            if changes.overflow || changes.paths.contains(path) {
                file.dirty = true;
                if changes.names || changes.overflow {
                    look(file, self.places.entry(target.clone()).or_default());
                    if let Some(watcher) = &mut self.watcher {
                        watcher.watch_file(path);
                    }
                }
            }
        }
        if changes.names || changes.overflow {
            self.remember_files();
        }
        changes.names || changes.overflow
    }

    /// Reads a chunk of every dirty file; true when there is more to read.
    fn read_round(&mut self, now: Instant) -> bool {
        let unwatched = self.watcher.as_ref().is_none_or(|watcher| watcher.incomplete);
        let mut more = false;
        let mut removed = Vec::new();
        for (key, file) in &mut self.files {
            if !(file.dirty || file.draining || unwatched) {
                continue;
            }
            if self.intake.batch.bytes >= self.batch_bytes_max
                || self.intake.rate.as_mut().is_some_and(|rate| rate.blocked_until(now).is_some())
            {
                return true;
            }
            let places = self.places.entry(key.0.clone()).or_default();
            look(file, places);
            let end = file.read(places, &mut self.intake, now).unwrap_or_else(|error| {
                tracing::warn!("reading {}: {error}", key.1.display());
                ReadEnd::Idle
            });
            file.dirty = matches!(end, ReadEnd::More | ReadEnd::Finished);
            file.draining = end == ReadEnd::Draining;
            more |= file.dirty;
            if end == ReadEnd::Gone {
                removed.push(key.clone());
            }
        }
        for key in removed {
            if let Some(file) = self.files.remove(&key) {
                let path = file.key();
                self.metrics.read_bytes.remove(&[&path]);
                self.metrics.file_bytes.remove(&[&path]);
                self.metrics.read_lines.remove(&[&path]);
                self.handed_over.remove(&path);
                self.gone.push(path);
            }
        }
        more
    }

    fn release_due(&mut self, now: Instant) {
        if self.batch_is_full() {
            return;
        }
        self.files.values_mut().for_each(|file| file.release_due(&mut self.intake, now));
        self.journals.iter_mut().for_each(|journal| journal.release_due(&mut self.intake, now));
    }

    fn take_journal(&mut self, line: JournalLine) {
        let now = Instant::now();
        if let Some(journal) = self.journals.iter_mut().find(|journal| journal.scrape == line.scrape) {
            journal.take(line, &mut self.intake, now);
        }
    }

    /// Gives the batch and the positions behind it to the sender. False when the sender is gone.
    async fn hand_over(&mut self) -> bool {
        let mut positions: BTreeMap<String, Position> = BTreeMap::new();
        for file in self.files.values() {
            let (Some(position), key) = (file.position(), file.key()) else { continue };
            // Two jobs may follow one file: the slower one counts.
            let slower = positions.get(&key).is_some_and(|other| offset(other) <= offset(&position));
            if !slower {
                positions.insert(key, position);
            }
        }
        for journal in &mut self.journals {
            if let Some(position) = journal.position() {
                positions.insert(journal.key.clone(), position);
            }
        }
        positions.retain(|key, position| self.handed_over.get(key) != Some(position));
        let batch = std::mem::take(&mut self.intake.batch);
        let gone = std::mem::take(&mut self.gone);
        if batch.is_empty() && positions.is_empty() && gone.is_empty() {
            return true;
        }
        self.handed_over.extend(positions.clone());
        let requests = match batch.requests(self.config.all_clients()) {
            Ok(requests) => requests,
            Err(error) => {
                tracing::error!("a batch of log lines cannot be encoded: {error}");
                Vec::new()
            }
        };
        let outgoing = Outgoing { requests, positions, gone };
        if outgoing.requests.is_empty() {
            self.settle(outgoing);
            return true;
        }
        if let Err(error) = self.pending.store(&outgoing) {
            // Only a crash right now would push lines twice.
            tracing::warn!("keeping what is on its way to Loki: {error}");
        }
        self.in_flight = true;
        self.to_sender.send(outgoing).await.is_ok()
    }

    /// All requests of a batch were acknowledged or given up.
    fn settle(&mut self, outgoing: Outgoing) {
        self.in_flight = false;
        if let Err(error) = self.positions.commit(outgoing.positions, &outgoing.gone) {
            tracing::warn!("writing positions: {error}");
            return;
        }
        if let Err(error) = self.pending.clear() {
            tracing::warn!("removing what was on its way to Loki: {error}");
        }
        self.remember_files();
        self.show();
    }

    /// Publishes figures and status.
    fn show(&self) {
        let mut status = Status { targets: Vec::new(), dropped: self.dropped.clone() };
        for target in &self.targets {
            let key = target.key();
            let mut details = BTreeMap::new();
            for ((of, path), file) in self.files.range((key.clone(), PathBuf::new())..) {
                if *of != key {
                    break;
                }
                let (size, read) = file.followed.progress();
                let path = path.display().to_string();
                self.metrics.file_bytes.with(&[&path]).set(size as f64);
                self.metrics.read_bytes.with(&[&path]).set(read as f64);
                details.insert(path, read.to_string());
            }
            status.targets.push(TargetStatus {
                job: self.config.scrape_configs[target.scrape].job_name.clone(),
                kind: "File",
                ready: !details.is_empty(),
                labels: target.labels.clone(),
                discovered_labels: target.discovered.clone(),
                details,
            });
        }
        for journal in &self.journals {
            let scrape = &self.config.scrape_configs[journal.scrape];
            let cursor = self.positions.get(&journal.key).map(|position| position.text.clone());
            status.targets.push(TargetStatus {
                job: scrape.job_name.clone(),
                kind: "Journal",
                ready: journal.running.is_some(),
                labels: scrape.journal.as_ref().map(|journal| journal.labels.clone()).unwrap_or_default(),
                discovered_labels: BTreeMap::new(),
                details: cursor.map(|cursor| ("cursor".to_string(), cursor)).into_iter().collect(),
            });
        }
        self.metrics.files_active.set(self.files.len() as f64);
        self.metrics.targets_active.set(status.targets.iter().filter(|target| target.ready).count() as f64);
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

/// Opens what a rotation has put behind the path.
fn look(file: &mut FileSource, places: &mut Places) {
    if let Err(error) = file.followed.check(places) {
        tracing::debug!("looking at {}: {error}", file.followed.path.display());
    }
}

fn offset(position: &Position) -> u64 {
    position.text.parse().unwrap_or(0)
}

async fn changes(watcher: &mut Option<Watcher>) -> std::io::Result<crate::watcher::Changes> {
    match watcher {
        Some(watcher) => watcher.changes().await,
        None => std::future::pending().await,
    }
}

fn hostname() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Journals stop before the channel they write to goes.
        self.journals.clear();
        self.intake.batch = Batch::default();
    }
}
