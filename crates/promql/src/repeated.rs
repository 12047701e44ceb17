//! Expressions that occur more than once in a query are computed once: `a / (a + b)` reads `a` once.
//!
//! Equal means equal canonical text on the same grid of steps. Whoever comes first keeps a copy of the
//! series for the others. Remarks carry the place of their expression, so what led to remarks is computed
//! again where it stands.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use eval::{Series, Steps};
use promql_syntax::{Expr, PosRange, ValueType};

/// Trees with more nodes are not searched: printing every part of a tree takes the square of its size.
const NODES_MAX: usize = 300;

/// Names an expression on a grid.
pub(crate) type Key = (usize, i64, i64, i64);

/// Which expressions are equal, and what has been computed of them.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    groups: HashMap<(usize, usize), usize>,
    kept: RefCell<HashMap<Key, Rc<Kept>>>,
}

/// The outcome of an expression.
#[derive(Debug)]
pub(crate) struct Kept {
    pub series: Vec<Series>,
    /// Samples that its windows looked at.
    pub queryable: u64,
}

impl Repeated {
    pub fn find(expr: &Expr) -> Repeated {
        let mut vectors = Vec::new();
        let mut nodes = 0;
        collect(expr, &mut nodes, &mut vectors);
        if vectors.len() < 2 || nodes > NODES_MAX {
            return Repeated::default();
        }
        let mut by_text: HashMap<String, Vec<PosRange>> = HashMap::new();
        for vector in vectors {
            by_text.entry(vector.to_string()).or_default().push(vector.pos());
        }
        let mut groups = HashMap::new();
        for (group, places) in by_text.into_values().filter(|places| places.len() > 1).enumerate() {
            groups.extend(places.into_iter().map(|pos| ((pos.start, pos.end), group)));
        }
        Repeated { groups, kept: RefCell::default() }
    }

    /// The name of an expression that occurs more than once.
    pub fn key(&self, expr: &Expr, steps: Steps) -> Option<Key> {
        if self.groups.is_empty() {
            return None;
        }
        let PosRange { start, end } = expr.pos();
        let group = self.groups.get(&(start, end))?;
        Some((*group, steps.start, steps.end, steps.interval))
    }

    pub fn get(&self, key: Key) -> Option<Rc<Kept>> {
        self.kept.borrow().get(&key).cloned()
    }

    pub fn keep(&self, key: Key, kept: Kept) -> Rc<Kept> {
        let kept = Rc::new(kept);
        self.kept.borrow_mut().insert(key, kept.clone());
        kept
    }
}

/// Vector expressions that take work. Parentheses have the work inside of them.
fn collect<'e>(expr: &'e Expr, nodes: &mut usize, out: &mut Vec<&'e Expr>) {
    *nodes += 1;
    let reads = !matches!(expr, Expr::Paren(_) | Expr::Number(_) | Expr::String(_));
    if reads && expr.value_type() == ValueType::Vector {
        out.push(expr);
    }
    if *nodes <= NODES_MAX {
        expr.children().into_iter().for_each(|child| collect(child, nodes, out));
    }
}
