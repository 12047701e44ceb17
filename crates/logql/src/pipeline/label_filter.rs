//! Label filters.
//!
//! A value that cannot be read as what it is compared with does not drop the entry: it marks it with
//! `__error__="LabelFilterErr"`, and once an entry has an error only text matchers decide about it, so
//! that errors can be looked at and filtered by name.

use logql_syntax::ast::{CompareOp, LabelFilter, Unit};
use logql_syntax::ip::IpPattern;
use logql_syntax::units;
use model::Matcher;

use super::labels::LabelState;
use crate::error::QueryError;

pub enum LabelTest {
    And(Box<LabelTest>, Box<LabelTest>),
    Or(Box<LabelTest>, Box<LabelTest>),
    Match(Matcher),
    Compare { label: String, op: CompareOp, value: f64, unit: Unit },
    Ip { label: String, negated: bool, pattern: IpPattern },
}

impl LabelTest {
    pub fn compile(filter: &LabelFilter) -> Result<LabelTest, QueryError> {
        let boxed = |f: &LabelFilter| LabelTest::compile(f).map(Box::new);
        Ok(match filter {
            LabelFilter::And(a, b) => LabelTest::And(boxed(a)?, boxed(b)?),
            LabelFilter::Or(a, b) => LabelTest::Or(boxed(a)?, boxed(b)?),
            LabelFilter::Match(matcher) => LabelTest::Match(matcher.clone()),
            LabelFilter::Compare { label, op, value, unit, .. } => {
                LabelTest::Compare { label: label.clone(), op: *op, value: *value, unit: *unit }
            }
            LabelFilter::Ip { label, negated, pattern } => LabelTest::Ip {
                label: label.clone(),
                negated: *negated,
                pattern: IpPattern::parse(pattern)
                    .map_err(|e| QueryError::bad(format!("parse error : stage '| {filter}' : {e}")))?,
            },
        })
    }

    /// Adds the names of the labels it reads.
    pub fn add_labels_read(&self, names: &mut Vec<String>) {
        match self {
            LabelTest::And(a, b) | LabelTest::Or(a, b) => {
                a.add_labels_read(names);
                b.add_labels_read(names);
            }
            LabelTest::Match(matcher) => names.push(matcher.name.clone()),
            LabelTest::Compare { label, .. } | LabelTest::Ip { label, .. } => names.push(label.clone()),
        }
    }

    pub fn accepts(&self, state: &mut LabelState) -> bool {
        match self {
            LabelTest::And(a, b) => a.accepts(state) && b.accepts(state),
            LabelTest::Or(a, b) => a.accepts(state) || b.accepts(state),
            LabelTest::Match(matcher) => matcher.matches(state.get(&matcher.name).unwrap_or("")),
            LabelTest::Compare { label, op, value, unit } => {
                if state.has_error() {
                    return true;
                }
                let Some(text) = state.get(label) else { return false };
                match read(text, *unit) {
                    Ok(number) => op.holds(number, *value),
                    Err(details) => {
                        state.set_error("LabelFilterErr", &details);
                        true
                    }
                }
            }
            LabelTest::Ip { label, negated, pattern } => {
                if state.has_error() {
                    return true;
                }
                match state.get(label) {
                    Some(text) => pattern.matches(text) != *negated,
                    None => false,
                }
            }
        }
    }
}

/// A label's value as a number of `unit`.
pub(crate) fn read(text: &str, unit: Unit) -> Result<f64, String> {
    match unit {
        Unit::Number => {
            text.parse().map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        }
        Unit::Duration => {
            units::parse_go_duration(text).map(|ns| ns as f64).map_err(|e| format!("time: {e}"))
        }
        Unit::Bytes => units::parse_bytes(text)
            .map(|bytes| bytes as f64)
            .ok_or_else(|| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
    }
}
