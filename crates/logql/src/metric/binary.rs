//! Operators between series and numbers.
//!
//! Series find their partners once, by the labels that matter; values meet step by step. Two partners are
//! only an error at a step where both have a value.

use std::collections::HashMap;

use logql_syntax::ast::{Binary, BinaryOp, Cardinality, VectorMatching};
use model::Labels;

use super::eval::Evaluated;
use super::series::{Series, absent, is_present};
use crate::error::QueryError;

pub(super) fn evaluate(
    operation: &Binary,
    left: Evaluated,
    right: Evaluated,
) -> Result<Evaluated, QueryError> {
    Ok(match (left, right) {
        (Evaluated::Scalar(a), Evaluated::Scalar(b)) => {
            let holds = apply(operation.op, a, b);
            Evaluated::Scalar(match holds {
                Outcome::Value(v) => v,
                Outcome::Truth(t) => f64::from(u8::from(t)),
            })
        }
        (Evaluated::Series(series), Evaluated::Scalar(scalar)) => {
            Evaluated::Series(with_scalar(operation, series, |v| (v, scalar)))
        }
        (Evaluated::Scalar(scalar), Evaluated::Series(series)) => {
            Evaluated::Series(with_scalar(operation, series, |v| (scalar, v)))
        }
        (Evaluated::Series(left), Evaluated::Series(right)) if operation.op.is_set() => {
            Evaluated::Series(set(operation, left, right))
        }
        (Evaluated::Series(left), Evaluated::Series(right)) => {
            Evaluated::Series(between(operation, left, right)?)
        }
    })
}

enum Outcome {
    Value(f64),
    Truth(bool),
}

/// Division by zero gives NaN in LogQL, unlike in PromQL.
fn apply(op: BinaryOp, a: f64, b: f64) -> Outcome {
    Outcome::Value(match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div if b == 0.0 => f64::NAN,
        BinaryOp::Mod if b == 0.0 => f64::NAN,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => a.powf(b),
        BinaryOp::Equal => return Outcome::Truth(a == b),
        BinaryOp::NotEqual => return Outcome::Truth(a != b),
        BinaryOp::Greater => return Outcome::Truth(a > b),
        BinaryOp::GreaterEqual => return Outcome::Truth(a >= b),
        BinaryOp::Less => return Outcome::Truth(a < b),
        BinaryOp::LessEqual => return Outcome::Truth(a <= b),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => f64::NAN,
    })
}

/// The value of an operation: comparisons keep `kept` or, with `bool`, turn into 1 and 0.
fn value(operation: &Binary, a: f64, b: f64, kept: f64) -> f64 {
    match apply(operation.op, a, b) {
        Outcome::Value(v) => v,
        Outcome::Truth(truth) if operation.return_bool => f64::from(u8::from(truth)),
        Outcome::Truth(true) => kept,
        Outcome::Truth(false) => absent(),
    }
}

fn with_scalar(
    operation: &Binary,
    mut series: Vec<Series>,
    sides: impl Fn(f64) -> (f64, f64),
) -> Vec<Series> {
    for one in &mut series {
        for v in one.values.iter_mut().filter(|v| is_present(**v)) {
            let (a, b) = sides(*v);
            *v = value(operation, a, b, *v);
        }
    }
    series.retain(|s| !s.is_empty());
    series
}

/// The labels by which series find each other.
fn signature(matching: &VectorMatching, labels: &Labels) -> Labels {
    labels.filter(|name| matching.labels.iter().any(|l| l == name) == matching.on)
}

fn set(operation: &Binary, left: Vec<Series>, right: Vec<Series>) -> Vec<Series> {
    let steps = left.first().or(right.first()).map_or(0, |s| s.values.len());
    let presence = |series: &[Series]| {
        let mut found: HashMap<Labels, Vec<bool>> = HashMap::new();
        for one in series {
            let row = found.entry(signature(&operation.matching, &one.labels)).or_insert(vec![false; steps]);
            row.iter_mut().zip(&one.values).for_each(|(p, v)| *p |= is_present(*v));
        }
        found
    };
    // Clears the values of `series` where the other side's presence says so.
    let restrict = |mut series: Vec<Series>, other: &HashMap<Labels, Vec<bool>>, keep_when: bool| {
        for one in &mut series {
            let row = other.get(&signature(&operation.matching, &one.labels));
            for (step, v) in one.values.iter_mut().enumerate() {
                let there = row.is_some_and(|row| row[step]);
                if there != keep_when {
                    *v = absent();
                }
            }
        }
        series.retain(|s| !s.is_empty());
        series
    };
    match operation.op {
        BinaryOp::And => restrict(left, &presence(&right), true),
        BinaryOp::Unless => restrict(left, &presence(&right), false),
        _ => {
            let mut merged: Vec<Series> = left;
            let rest = restrict(right, &presence(&merged), false);
            for one in rest {
                // The same series may come from different sides at different steps.
                match merged.iter_mut().find(|m| m.labels == one.labels) {
                    Some(mine) => {
                        for (v, other) in mine.values.iter_mut().zip(&one.values) {
                            if is_present(*other) {
                                *v = *other;
                            }
                        }
                    }
                    None => merged.push(one),
                }
            }
            merged
        }
    }
}

fn between(operation: &Binary, left: Vec<Series>, right: Vec<Series>) -> Result<Vec<Series>, QueryError> {
    let matching = &operation.matching;
    // `one` is the side that must be unique, `many` the side whose series the results follow.
    let swapped = matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let mut partners: HashMap<Labels, Vec<&Series>> = HashMap::new();
    for s in &one {
        partners.entry(signature(matching, &s.labels)).or_default().push(s);
    }
    let mut results: Vec<Series> = Vec::new();
    let mut index: HashMap<Labels, usize> = HashMap::new();
    for s in &many {
        let key = signature(matching, &s.labels);
        let Some(partners) = partners.get(&key) else { continue };
        for (step, v) in s.values.iter().enumerate().filter(|(_, v)| is_present(**v)) {
            let mut present = partners.iter().filter(|p| is_present(p.values[step]));
            let Some(partner) = present.next() else { continue };
            if let Some(second) = present.next() {
                return Err(duplicate(&key, swapped, &partner.labels, &second.labels));
            }
            let other = partner.values[step];
            let (a, b) = if swapped { (other, *v) } else { (*v, other) };
            let v = value(operation, a, b, a);
            if !is_present(v) {
                continue;
            }
            let labels = result_labels(matching, &s.labels, &partner.labels);
            let at = *index.entry(labels.clone()).or_insert_with(|| {
                results.push(Series::absent(labels, s.values.len()));
                results.len() - 1
            });
            let slot = &mut results[at].values[step];
            if is_present(*slot) {
                return Err(QueryError::bad(if matching.cardinality == Cardinality::OneToOne {
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                } else {
                    "multiple matches for labels: grouping labels must ensure unique matches"
                }));
            }
            *slot = v;
        }
    }
    Ok(results)
}

fn duplicate(key: &Labels, swapped: bool, first: &Labels, second: &Labels) -> QueryError {
    let side = if swapped { "left" } else { "right" };
    QueryError::bad(format!(
        "found duplicate series for the match group {key} on the {side} hand-side of the operation: \
         [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
    ))
}

fn result_labels(matching: &VectorMatching, many: &Labels, one: &Labels) -> Labels {
    if matching.cardinality == Cardinality::OneToOne {
        return signature(matching, many);
    }
    if matching.include.is_empty() {
        return many.clone();
    }
    let mut builder = many.to_builder();
    for name in &matching.include {
        builder.set(name.as_str(), one.get(name));
    }
    builder.build()
}
