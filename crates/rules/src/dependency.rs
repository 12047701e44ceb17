//! Which rules of a group may run at the same time.
//!
//! A rule reads what another writes when one of its selectors can match the other's series. Such a pair keeps
//! its order, whichever of the two comes first: the later one sees what the earlier one has just written, or
//! the earlier one what the later wrote the last time. All others are free.

use model::{METRIC_NAME, Matcher};
use promql_syntax::Expr;

use crate::alerting_rule::{ALERT_NAME, ALERTS_SERIES, FOR_STATE_SERIES};

/// What matters of a rule here.
pub(crate) struct Node {
    /// The metric names a rule writes, and the name of the alert when it is one.
    outputs: Vec<String>,
    alert: Option<String>,
    /// The matchers of every selector.
    inputs: Vec<Vec<Matcher>>,
}

impl Node {
    pub fn recording(name: &str, expr: &Expr) -> Node {
        Node { outputs: vec![name.to_owned()], alert: None, inputs: selectors(expr) }
    }

    pub fn alerting(name: &str, expr: &Expr) -> Node {
        let outputs = vec![ALERTS_SERIES.to_owned(), FOR_STATE_SERIES.to_owned()];
        Node { outputs, alert: Some(name.to_owned()), inputs: selectors(expr) }
    }

    fn reads(&self, other: &Node) -> bool {
        let fits = |matcher: &Matcher| match matcher.name.as_str() {
            METRIC_NAME => other.outputs.iter().any(|name| matcher.matches(name)),
            ALERT_NAME => other.alert.as_ref().is_none_or(|name| matcher.matches(name)),
            _ => true,
        };
        self.inputs.iter().any(|selector| selector.iter().all(fits))
    }
}

fn selectors(expr: &Expr) -> Vec<Vec<Matcher>> {
    fn collect(expr: &Expr, out: &mut Vec<Vec<Matcher>>) {
        match expr {
            Expr::Vector(selector) => out.push(selector.matchers.clone()),
            Expr::Matrix(matrix) => out.push(matrix.selector.matchers.clone()),
            _ => {}
        }
        expr.children().into_iter().for_each(|child| collect(child, out));
    }
    let mut out = Vec::new();
    collect(expr, &mut out);
    out
}

/// Places of rules, batch after batch: the rules of a batch do not depend on each other, and on none of a
/// later batch but by the rule of the module.
pub(crate) fn batches(nodes: &[Node]) -> Vec<Vec<usize>> {
    let mut levels: Vec<usize> = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        let bound = |earlier: &Node| node.reads(earlier) || earlier.reads(node);
        let before = nodes.iter().zip(&levels).take(at).filter(|(earlier, _)| bound(earlier));
        levels.push(before.map(|(_, level)| level + 1).max().unwrap_or(0));
    }
    let mut batches = vec![Vec::new(); levels.iter().max().map_or(0, |level| level + 1)];
    for (at, level) in levels.into_iter().enumerate() {
        if let Some(batch) = batches.get_mut(level) {
            batch.push(at);
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &[(&str, &str)], expected: &[&[usize]]) {
        let node = |(name, expr): &(&str, &str)| {
            let expr = promql_syntax::parse(expr).unwrap();
            match name.chars().next().is_some_and(char::is_uppercase) {
                true => Node::alerting(name, &expr),
                false => Node::recording(name, &expr),
            }
        };
        let nodes: Vec<Node> = rules.iter().map(node).collect();
        assert_eq!(batches(&nodes), expected, "{rules:?}");
    }

    #[test]
    fn order_is_kept_where_it_matters() {
        check(&[], &[]);
        check(&[("a", "x"), ("b", "y"), ("C", "z > 1")], &[&[0, 1, 2]]);
        // A chain, and somebody who has nothing to do with it.
        check(&[("a", "x"), ("b", "sum(a)"), ("c", "rate(b[5m])"), ("d", "y")], &[&[0, 3], &[1], &[2]]);
        // The first reads what the second wrote before: it must not run later.
        check(&[("a", "b"), ("b", "x")], &[&[0], &[1]]);
        check(&[("a", "x"), ("b", "a"), ("c", "a")], &[&[0], &[1, 2]]);
        // Equal names are no dependency.
        check(&[("a", "x"), ("a", "y")], &[&[0, 1]]);
    }

    #[test]
    fn selectors_without_a_name_may_read_anything() {
        check(&[("a", "x"), ("b", "count({job=\"p\"})"), ("c", "y")], &[&[0], &[1], &[2]]);
        check(&[("a", "x"), ("b", "{__name__=~\"a|q\"}"), ("c", "y")], &[&[0, 2], &[1]]);
    }

    #[test]
    fn alerts_are_read_by_name() {
        check(&[("A", "x"), ("B", "y"), ("c", "ALERTS{alertname=\"A\"}")], &[&[0, 1], &[2]]);
        check(&[("A", "x"), ("B", "y"), ("c", "count(ALERTS)")], &[&[0, 1], &[2]]);
        check(&[("A", "x unless ALERTS_FOR_STATE{alertname=~\"B.*\"}"), ("B", "y")], &[&[0], &[1]]);
        check(&[("A", "x"), ("b", "A")], &[&[0, 1]]);
    }
}
