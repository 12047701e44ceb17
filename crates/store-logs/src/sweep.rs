//! From overlapping pieces of one stream to its entries in order, each once.
//!
//! Pieces are sorted by time inside and may overlap each other. The sweep opens a piece when time gets to
//! it and then is in one of two situations: one piece alone has what comes next, and its rows are shown as
//! they are; or several have rows of the same time, and these are put in order of arrival and compared.
//! Going backward is the same with the clock's sign turned.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use model::{Labels, TimestampNs};
use storage::StoreError;
use storage::logs::Direction;
use xxhash_rust::xxh3::Xxh3;

use crate::group::Group;
use crate::run::Run;

/// What the sweep shows.
pub(crate) struct Row<'a> {
    pub ts: TimestampNs,
    pub line: &'a str,
    pub metadata: &'a Labels,
    pub generation: u64,
}

/// Rows of a head come after those of all parts.
pub(crate) const GENERATION_FROZEN: u64 = u64::MAX - 1;
pub(crate) const GENERATION_ACTIVE: u64 = u64::MAX;

/// A piece before it is opened. Pieces are given in order of arrival as far as that is known.
pub(crate) struct Piece<'a> {
    pub min: TimestampNs,
    pub max: TimestampNs,
    pub open: Box<dyn FnOnce() -> Result<Option<Opened>, StoreError> + 'a>,
}

/// The rows of a piece that are wanted, ascending by time and arrival.
pub(crate) struct Opened {
    pub data: Data,
    pub rows: Vec<u32>,
}

pub(crate) enum Data {
    Group(Arc<Group>),
    Run(Arc<Run>, u64),
}

impl Data {
    fn time(&self, row: usize) -> TimestampNs {
        match self {
            Data::Group(group) => group.time(row),
            Data::Run(run, _) => run.time(row),
        }
    }

    fn line(&self, row: usize) -> &str {
        match self {
            Data::Group(group) => group.line(row),
            Data::Run(run, _) => run.line(row),
        }
    }

    fn metadata(&self, row: usize) -> Cow<'_, Labels> {
        match self {
            Data::Group(group) => group.metadata(row),
            Data::Run(run, _) => Cow::Borrowed(run.metadata(row)),
        }
    }

    fn generation(&self, row: usize) -> u64 {
        match self {
            Data::Group(group) => group.generation(row),
            Data::Run(_, generation) => *generation,
        }
    }
}

/// Called for every row, until it breaks.
pub(crate) type Visit<'a> = dyn FnMut(Row<'_>) -> ControlFlow<()> + 'a;

pub(crate) fn sweep(
    pieces: Vec<Piece<'_>>,
    direction: Direction,
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    let mut waiting: Vec<(usize, Piece<'_>)> = pieces.into_iter().enumerate().collect();
    // The next one is the last one.
    waiting.sort_by_key(|(age, piece)| std::cmp::Reverse((first_key(piece, direction), *age)));
    let mut sweep = Sweep { waiting, open: Vec::new(), direction };
    loop {
        sweep.open_due()?;
        let Some((leader, key)) = sweep.leader() else { return Ok(()) };
        let rival = sweep.rival(leader);
        let flow = if rival.is_none_or(|rival| key < rival) {
            sweep.run_alone(leader, rival, visit)
        } else {
            sweep.run_together(key, visit)
        };
        if flow.is_break() {
            return Ok(());
        }
    }
}

/// Turns time around when going backward: `!` reverses the order of all integers.
fn key(ts: TimestampNs, direction: Direction) -> i64 {
    match direction {
        Direction::Forward => ts,
        Direction::Backward => !ts,
    }
}

fn first_key(piece: &Piece<'_>, direction: Direction) -> i64 {
    match direction {
        Direction::Forward => piece.min,
        Direction::Backward => !piece.max,
    }
}

struct Sweep<'a> {
    waiting: Vec<(usize, Piece<'a>)>,
    open: Vec<Cursor>,
    direction: Direction,
}

/// An opened piece and how far it was shown. Always has a next row.
struct Cursor {
    age: usize,
    data: Data,
    /// In the order of the sweep.
    rows: Vec<u32>,
    next: usize,
    direction: Direction,
}

impl Cursor {
    /// The key of the next row.
    fn key(&self) -> Option<i64> {
        let row = *self.rows.get(self.next)?;
        Some(key(self.data.time(row as usize), self.direction))
    }

    fn show(&self, row: u32, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let row = row as usize;
        let data = &self.data;
        let metadata = data.metadata(row);
        visit(Row {
            ts: data.time(row),
            line: data.line(row),
            metadata: &metadata,
            generation: data.generation(row),
        })
    }

    /// Stands for time, line and metadata among rows of equal time. 128 bits: no two texts that anyone
    /// will ever store share them.
    fn identity(&self, row: u32) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(self.data.metadata(row as usize).as_packed());
        // A byte that no UTF-8 text has keeps the two apart.
        hash.update(&[0xff]);
        hash.update(self.data.line(row as usize).as_bytes());
        hash.digest128()
    }
}

impl Sweep<'_> {
    /// Opens every piece that begins before or at the next row, or the next pieces when nothing is open.
    fn open_due(&mut self) -> Result<(), StoreError> {
        while let Some((_, piece)) = self.waiting.last() {
            let begins = first_key(piece, self.direction);
            if self.leader().is_some_and(|(_, key)| key < begins) {
                break;
            }
            let Some((age, piece)) = self.waiting.pop() else { break };
            if let Some(Opened { data, mut rows }) = (piece.open)()?
                && !rows.is_empty()
            {
                if self.direction == Direction::Backward {
                    rows.reverse();
                }
                self.open.push(Cursor { age, data, rows, next: 0, direction: self.direction });
            }
        }
        Ok(())
    }

    /// The cursor with the smallest key.
    fn leader(&self) -> Option<(usize, i64)> {
        let keys = self.open.iter().enumerate().filter_map(|(at, cursor)| Some((at, cursor.key()?)));
        keys.min_by_key(|(_, key)| *key)
    }

    /// The smallest key of all others, opened or not.
    fn rival(&self, leader: usize) -> Option<i64> {
        let others = self.open.iter().enumerate().filter(|(at, _)| *at != leader);
        let open = others.filter_map(|(_, cursor)| cursor.key()).min();
        let waiting = self.waiting.last().map(|(_, piece)| first_key(piece, self.direction));
        open.into_iter().chain(waiting).min()
    }

    /// Shows the leader's rows up to the rival's first.
    fn run_alone(&mut self, leader: usize, rival: Option<i64>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let cursor = &mut self.open[leader];
        while let Some(row) = cursor.rows.get(cursor.next).copied() {
            let key = key(cursor.data.time(row as usize), self.direction);
            if rival.is_some_and(|rival| key >= rival) {
                return ControlFlow::Continue(());
            }
            cursor.next += 1;
            cursor.show(row, visit)?;
        }
        self.open.swap_remove(leader);
        ControlFlow::Continue(())
    }

    /// Shows all rows with this very key.
    fn run_together(&mut self, key: i64, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let mut rows: Vec<(u64, usize, u32, usize)> = Vec::new();
        for (at, cursor) in self.open.iter_mut().enumerate() {
            while cursor.key() == Some(key) {
                let row = cursor.rows[cursor.next];
                rows.push((cursor.data.generation(row as usize), cursor.age, row, at));
                cursor.next += 1;
            }
        }
        rows.sort_unstable();
        let mut shown = HashSet::with_capacity(rows.len());
        rows.retain(|(_, _, row, at)| shown.insert(self.open[*at].identity(*row)));
        if self.direction == Direction::Backward {
            rows.reverse();
        }
        for (_, _, row, at) in rows {
            self.open[at].show(row, visit)?;
        }
        self.open.retain(|cursor| cursor.next < cursor.rows.len());
        ControlFlow::Continue(())
    }
}
