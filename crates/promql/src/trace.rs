//! Where the time of one query goes: a tree of its operators.
//!
//! Only queries that ask for it are traced. Streams are lazy: an operator's time is what it took to build
//! plus every call for its next series, and includes the operators below, as do its samples.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use eval::{Context, EvalError, Series, SeriesStream};
use promql_syntax::{Expr, PosRange};

/// Longer texts of expressions are cut.
const TEXT_BYTES_MAX: usize = 200;

/// One operator of an evaluation.
#[derive(Debug, Clone, Default)]
pub struct TraceNode {
    /// What it computes, as canonical text.
    pub expr: String,
    /// Where that stands in the query, in bytes.
    pub start: usize,
    pub end: usize,
    pub duration: Duration,
    /// Series that came out.
    pub series: u64,
    /// Values in them.
    pub values: u64,
    /// Samples that were read from the store.
    pub samples_read: u64,
    /// Taken from an equal expression elsewhere in the query.
    pub reused: bool,
    pub children: Vec<TraceNode>,
}

/// Collects the nodes while a query runs.
#[derive(Debug, Default)]
pub(crate) struct Tracer {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<(Option<usize>, TraceNode)>,
    /// Operators being built, outermost first.
    open: Vec<usize>,
}

/// A moment before some work.
pub(crate) struct Mark {
    began: Instant,
    samples: u64,
}

impl Mark {
    fn now(cx: &Context) -> Mark {
        Mark { began: Instant::now(), samples: cx.stats().samples_read }
    }
}

impl Tracer {
    /// Begins an operator; those begun before it is left are below it.
    pub fn enter(&self, cx: &Context, expr: &Expr) -> (usize, Mark) {
        let PosRange { start, end } = expr.pos();
        let mut text = expr.to_string();
        if text.len() > TEXT_BYTES_MAX {
            let cut = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
            text.push('…');
        }
        let mut state = self.state.borrow_mut();
        let (id, parent) = (state.nodes.len(), state.open.last().copied());
        state.nodes.push((parent, TraceNode { expr: text, start, end, ..TraceNode::default() }));
        state.open.push(id);
        (id, Mark::now(cx))
    }

    pub fn leave(&self, cx: &Context, id: usize, mark: &Mark) {
        self.state.borrow_mut().open.pop();
        self.spent(cx, id, mark);
    }

    pub fn note_reuse(&self, id: usize) {
        if let Some((_, node)) = self.state.borrow_mut().nodes.get_mut(id) {
            node.reused = true;
        }
    }

    fn spent(&self, cx: &Context, id: usize, mark: &Mark) {
        if let Some((_, node)) = self.state.borrow_mut().nodes.get_mut(id) {
            node.duration += mark.began.elapsed();
            node.samples_read += cx.stats().samples_read - mark.samples;
        }
    }

    fn note_series(&self, id: usize, series: &Series) {
        if let Some((_, node)) = self.state.borrow_mut().nodes.get_mut(id) {
            node.series += 1;
            node.values += (0..series.column.len()).filter(|step| series.column.has(*step)).count() as u64;
        }
    }

    /// The operators without one above them.
    pub fn tree(&self) -> Vec<TraceNode> {
        let mut nodes = std::mem::take(&mut self.state.borrow_mut().nodes);
        let mut roots = Vec::new();
        // Children come after their parents, so from the end every node is complete when its turn comes.
        while let Some((parent, mut node)) = nodes.pop() {
            node.children.reverse();
            match parent.and_then(|parent| nodes.get_mut(parent)) {
                Some((_, parent)) => parent.children.push(node),
                None => roots.push(node),
            }
        }
        roots.reverse();
        roots
    }
}

/// A stream whose work is noted.
pub(crate) struct Traced<'a> {
    pub cx: &'a Context,
    pub tracer: &'a Tracer,
    pub id: usize,
    pub input: crate::stream::Stream<'a>,
}

impl SeriesStream for Traced<'_> {
    fn next(&mut self) -> Result<Option<Series>, EvalError> {
        let mark = Mark::now(self.cx);
        let next = self.input.next();
        self.tracer.spent(self.cx, self.id, &mark);
        if let Ok(Some(series)) = &next {
            self.tracer.note_series(self.id, series);
        }
        next
    }
}
