//! Which selectors are read only for the count and sum of their histograms.
//!
//! The original reads those through an iterator that works out resets on the fly where the store does
//! not know them. The only visible effect is a warning about conflicting resets, but it is there.

use std::collections::HashSet;
use std::sync::Arc;

use eval::histogram::detect_reset;
use model::{FloatHistogram, ResetHint};
use promql_syntax::Expr;
use storage::metrics::SampleColumns;

/// The start positions of such selectors.
pub(crate) fn selectors(expr: &Expr) -> HashSet<usize> {
    let mut found = HashSet::new();
    walk(expr, false, &mut found);
    found
}

fn walk(expr: &Expr, within: bool, found: &mut HashSet<usize>) {
    let within = match expr {
        Expr::Call(call) => match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => true,
            name if name.starts_with("histogram_") => false,
            _ => within,
        },
        Expr::Binary(_) | Expr::Subquery(_) => false,
        Expr::Vector(_) | Expr::Matrix(_) => {
            if within {
                found.insert(expr.pos().start);
            }
            return;
        }
        _ => within,
    };
    expr.children().into_iter().for_each(|child| walk(child, within, found));
}

/// Fills in the reset hints that are unknown.
pub(crate) fn settle_hints(samples: &mut SampleColumns) {
    for i in 1..samples.histograms.len() {
        let (before, after) = samples.histograms.split_at_mut(i);
        let (Some((_, previous)), Some((_, current))) = (before.last(), after.first_mut()) else { return };
        if current.reset_hint == ResetHint::Unknown {
            let reset = detect_reset(current, previous);
            let reset_hint = if reset { ResetHint::CounterReset } else { ResetHint::NotCounterReset };
            *current = Arc::new(FloatHistogram { reset_hint, ..(**current).clone() });
        }
    }
}
