//! A view: the streams and entries that were there at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use index::{IndexError, IndexView, SeriesId};
use model::{Labels, Matcher, TimestampNs};
use storage::logs::{Direction, EntryRef, LogStatistics, Needle, StreamHandle, TimeRangeNs};
use storage::{ErrorKind, LogQuerier, StoreError};

use crate::directory::Directory;
use crate::error::corrupt;
use crate::head::Head;
use crate::part::{Cache, GroupCache, LogPart, Wanted};
use crate::sweep::{Data, Opened, Piece, sweep};

/// Decoded groups kept by a view: a few for each thread that reads.
const GROUPS_KEPT: usize = 8;

pub(crate) struct View {
    heads: Vec<HeadView>,
    parts: Vec<PartView>,
    /// What tokens mean.
    targets: Mutex<Vec<Arc<Vec<Target>>>>,
    groups: GroupCache,
}

pub(crate) struct HeadView {
    pub head: Arc<RwLock<Head>>,
    /// Later pushes are not seen.
    pub push: u32,
    pub generation: u64,
}

struct PartView {
    part: Arc<LogPart>,
    directory: OnceLock<Directory>,
}

/// Where a stream is.
#[derive(Debug, Clone, Copy)]
enum Target {
    Part(usize, SeriesId),
    Head(usize, SeriesId),
}

impl View {
    /// Heads in order of age.
    pub fn new(heads: Vec<HeadView>, parts: &[Arc<LogPart>]) -> View {
        let mut parts: Vec<PartView> =
            parts.iter().map(|part| PartView { part: part.clone(), directory: OnceLock::new() }).collect();
        parts.sort_by_key(|view| view.part.id());
        View { heads, parts, targets: Mutex::default(), groups: GroupCache::new(Cache::Use, GROUPS_KEPT) }
    }

    /// Calls `found` with every place that has a matching stream with entries in the range.
    fn search(
        &self,
        matchers: &[Matcher],
        range: TimeRangeNs,
        found: &mut dyn FnMut(Target, &dyn IndexView) -> Result<(), IndexError>,
    ) -> Result<(), StoreError> {
        for (number, view) in self.parts.iter().enumerate() {
            if !view.part.overlaps(range.start, range.end) {
                continue;
            }
            let page = view.part.index_page(Cache::Use)?;
            let index = view.part.reader(&page)?;
            let damaged = |error| view.part.index_error(error);
            let ids = index::select(&index, matchers).map_err(damaged)?;
            if ids.is_empty() {
                continue;
            }
            let directory = view.directory()?;
            for id in ids.into_iter().filter(|id| directory.reaches(*id, range.start, range.end)) {
                found(Target::Part(number, id), &index).map_err(damaged)?;
            }
        }
        for (number, view) in self.heads.iter().enumerate() {
            let head = view.head.read().unwrap_or_else(PoisonError::into_inner);
            for id in index::select(head.index(), matchers).map_err(corrupt)? {
                let Some(stream) = head.stream(id) else { continue };
                if stream.first_push() <= view.push && stream.overlaps(range.start, range.end) {
                    found(Target::Head(number, id), head.index()).map_err(corrupt)?;
                }
            }
        }
        Ok(())
    }

    fn targets(&self, token: u64) -> Result<Arc<Vec<Target>>, StoreError> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let found = usize::try_from(token).ok().and_then(|token| targets.get(token)).cloned();
        found.ok_or_else(|| StoreError::new(ErrorKind::Invalid, "a stream of another querier"))
    }

    fn pieces<'a>(&'a self, target: Target, wanted: Wanted<'a>) -> Result<Vec<Piece<'a>>, StoreError> {
        match target {
            Target::Part(number, id) => {
                let view = &self.parts[number];
                let directory = view.directory()?;
                let blocks = directory.of_stream(id).iter();
                let blocks = blocks.filter(|block| block.overlaps(wanted.start, wanted.end));
                Ok(blocks.map(|block| view.part.piece(directory, block, wanted, &self.groups)).collect())
            }
            Target::Head(number, id) => {
                let view = &self.heads[number];
                let head = view.head.read().unwrap_or_else(PoisonError::into_inner);
                let runs = head.stream(id).map(|stream| stream.runs.as_slice()).unwrap_or_default();
                let runs = runs.iter().filter(|run| run.min < wanted.end && wanted.start <= run.max);
                let piece = |run: &Arc<crate::run::Run>| {
                    let (min, max, run) = (run.min, run.max, run.clone());
                    let open = move || {
                        let rows = run.sorted_rows(wanted.start, wanted.end, view.push);
                        Ok(Some(Opened { data: Data::Run(run, view.generation), rows }))
                    };
                    Piece { min, max, open: Box::new(open) }
                };
                Ok(runs.map(piece).collect())
            }
        }
    }

    fn count(&self, target: Target, range: TimeRangeNs, sum: &mut LogStatistics) -> Result<(), StoreError> {
        let mut add = |min, max, entries: u64, bytes: u64| {
            let share = share(min, max, range);
            sum.blocks += 1;
            sum.entries += (entries as f64 * share).round() as u64;
            sum.bytes += (bytes as f64 * share).round() as u64;
        };
        match target {
            Target::Part(number, id) => {
                for block in self.parts[number].directory()?.of_stream(id) {
                    if block.overlaps(range.start, range.end) {
                        add(block.min, block.max, u64::from(block.rows), block.bytes);
                    }
                }
            }
            Target::Head(number, id) => {
                let head = self.heads[number].head.read().unwrap_or_else(PoisonError::into_inner);
                for run in head.stream(id).map(|stream| stream.runs.as_slice()).unwrap_or_default() {
                    if run.min < range.end && range.start <= run.max {
                        add(run.min, run.max, run.rows() as u64, run.bytes() as u64);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The part of `min..=max` within the range, as if entries were spread evenly.
fn share(min: TimestampNs, max: TimestampNs, range: TimeRangeNs) -> f64 {
    if range.start <= min && max < range.end {
        return 1.0;
    }
    let whole = (i128::from(max) - i128::from(min) + 1) as f64;
    let inside = i128::from(range.end.saturating_sub(1).min(max)) - i128::from(range.start.max(min)) + 1;
    (inside as f64 / whole).clamp(0.0, 1.0)
}

impl PartView {
    fn directory(&self) -> Result<&Directory, StoreError> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let directory = self.part.directory(Cache::Use)?;
        Ok(self.directory.get_or_init(|| directory))
    }
}

impl LogQuerier for View {
    fn select(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<Vec<StreamHandle>, StoreError> {
        let mut streams: BTreeMap<Labels, Vec<Target>> = BTreeMap::new();
        self.search(matchers, range, &mut |target, index| {
            let (Target::Part(_, id) | Target::Head(_, id)) = target;
            streams.entry(index.labels(id)?).or_default().push(target);
            Ok(())
        })?;
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = |(labels, places)| {
            targets.push(Arc::new(places));
            StreamHandle { labels, token: targets.len() as u64 - 1 }
        };
        Ok(streams.into_iter().map(handle).collect())
    }

    fn read(
        &self,
        stream: &StreamHandle,
        range: TimeRangeNs,
        direction: Direction,
        needles: &[Needle],
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let needles: Vec<&[u8]> =
            needles.iter().map(|needle| needle.0.as_bytes()).filter(|needle| !needle.is_empty()).collect();
        let wanted = Wanted { start: range.start, end: range.end, needles: &needles };
        let mut pieces = Vec::new();
        for target in self.targets(stream.token)?.iter() {
            pieces.extend(self.pieces(*target, wanted)?);
        }
        sweep(pieces, direction, &mut |row| {
            visit(EntryRef { ts: row.ts, line: row.line, structured_metadata: row.metadata })
        })
    }

    fn label_names(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<Vec<String>, StoreError> {
        let mut names = BTreeSet::new();
        self.search(matchers, range, &mut |target, index| {
            let (Target::Part(_, id) | Target::Head(_, id)) = target;
            index.visit_labels(id, &mut |name, _| {
                if !names.contains(name) {
                    names.insert(name.to_string());
                }
            })
        })?;
        Ok(names.into_iter().collect())
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRangeNs,
    ) -> Result<Vec<String>, StoreError> {
        let mut values = BTreeSet::new();
        self.search(matchers, range, &mut |target, index| {
            let (Target::Part(_, id) | Target::Head(_, id)) = target;
            index.visit_labels(id, &mut |candidate, value| {
                if candidate == name && !values.contains(value) {
                    values.insert(value.to_string());
                }
            })
        })?;
        Ok(values.into_iter().collect())
    }

    fn statistics(&self, matchers: &[Matcher], range: TimeRangeNs) -> Result<LogStatistics, StoreError> {
        let streams = self.select(matchers, range)?;
        let mut sum = LogStatistics { streams: streams.len() as u64, ..LogStatistics::default() };
        for stream in &streams {
            for target in self.targets(stream.token)?.iter() {
                self.count(*target, range, &mut sum)?;
            }
        }
        Ok(sum)
    }
}
