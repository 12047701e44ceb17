//! From matchers to series ids, over any [`IndexView`].
//!
//! The rule that surprises: a matcher that accepts the empty string also accepts series without the
//! label. Such a matcher cannot be answered by collecting postings, so it is turned around: the ids of
//! the values it refuses are taken away. The other matchers are intersected, cheapest first. Once few
//! candidates are left, an expensive regular expression is run on their own values and no longer on the
//! whole dictionary.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use model::{MatchOp, Matcher};

use crate::postings::{intersect, intersects, normalise, subtract};
use crate::{IndexError, IndexView, SeriesId};

/// Reading one series' labels costs about as much as looking at this many ids of a list.
const LABEL_READ_COST: usize = 64;

/// And as finding this many values in the dictionary.
const LABEL_READ_PROBES: usize = 4;

/// Ids of the series that satisfy all matchers, ascending. No matchers: all series.
pub fn select(index: &dyn IndexView, matchers: &[Matcher]) -> Result<Vec<SeriesId>, IndexError> {
    let mut ordered: Vec<(usize, &Matcher)> = Vec::with_capacity(matchers.len());
    for matcher in matchers.iter().filter(|m| !accepts_everything(m)) {
        ordered.push((cost(index, matcher)?, matcher));
    }
    ordered.sort_by_key(|(cost, _)| *cost);

    let mut found: Option<Vec<SeriesId>> = None;
    for (cost, matcher) in ordered {
        if found.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
        let few = found.as_ref().is_some_and(|ids| ids.len() * LABEL_READ_COST < cost);
        found = Some(match found {
            Some(ids) if few => filter(index, matcher, ids)?,
            found if matcher.matches_empty() => {
                let mut ids = match found {
                    Some(ids) => ids,
                    None => index.all()?,
                };
                subtract(&mut ids, &refused(index, matcher)?);
                ids
            }
            Some(ids) => intersect(&ids, &accepted(index, matcher)?),
            None => accepted(index, matcher)?.into_owned(),
        });
    }
    match found {
        Some(ids) => Ok(ids),
        None => index.all(),
    }
}

/// Label names of the series that satisfy all matchers, sorted. No matchers: every name.
pub fn label_names(index: &dyn IndexView, matchers: &[Matcher]) -> Result<Vec<String>, IndexError> {
    let mut names = Vec::new();
    if matchers.is_empty() {
        index.visit_names(&mut |name| {
            names.push(name.to_owned());
            ControlFlow::Continue(())
        })?;
        return Ok(names);
    }
    let mut seen = BTreeSet::new();
    for id in select(index, matchers)? {
        index.visit_labels(id, &mut |name, _| {
            if !seen.contains(name) {
                seen.insert(name.to_owned());
            }
        })?;
    }
    Ok(seen.into_iter().collect())
}

/// Values of `name` in the series that satisfy all matchers, sorted. No matchers: every value.
pub fn label_values(
    index: &dyn IndexView,
    name: &str,
    matchers: &[Matcher],
) -> Result<Vec<String>, IndexError> {
    let mut values = Vec::new();
    if matchers.is_empty() {
        index.visit_values(name, &mut |value| {
            values.push(value.to_owned());
            ControlFlow::Continue(())
        })?;
        return Ok(values);
    }
    let ids = select(index, matchers)?;
    if ids.is_empty() {
        return Ok(values);
    }
    if ids.len() <= index.value_count(name)? * LABEL_READ_PROBES {
        let mut seen = BTreeSet::new();
        for id in ids {
            index.visit_labels(id, &mut |n, value| {
                if n == name && !seen.contains(value) {
                    seen.insert(value.to_owned());
                }
            })?;
        }
        return Ok(seen.into_iter().collect());
    }
    index.visit_values(name, &mut |value| {
        values.push(value.to_owned());
        ControlFlow::Continue(())
    })?;
    let mut failed = None;
    values.retain(|value| match index.postings(name, value) {
        Ok(postings) => intersects(&postings, &ids),
        Err(error) => {
            failed = Some(error);
            false
        }
    });
    failed.map_or(Ok(values), Err)
}

/// `=~".*"` and its relatives constrain nothing.
fn accepts_everything(matcher: &Matcher) -> bool {
    match matcher.op {
        MatchOp::Regex => matches!(matcher.value.as_str(), ".*" | "(.*)" | "(?s).*" | "(?s:.*)"),
        // A value always differs from one that no stored label can have.
        MatchOp::NotEqual => false,
        MatchOp::Equal | MatchOp::NotRegex => false,
    }
}

/// Roughly how many ids answering a matcher from the index touches, or what takes as long.
fn cost(index: &dyn IndexView, matcher: &Matcher) -> Result<usize, IndexError> {
    let empty = matcher.matches_empty();
    Ok(match literals(matcher) {
        Some(values) if !empty => {
            let mut ids = 0;
            for value in values {
                ids += index.postings(&matcher.name, value)?.len();
            }
            ids
        }
        // Subtractions wait until there is something to subtract from.
        _ => index.value_count(&matcher.name)?.saturating_mul(if empty { 64 } else { 16 }),
    })
}

/// The complete list of accepted values where the matcher states one.
fn literals(matcher: &Matcher) -> Option<Vec<&str>> {
    match matcher.op {
        MatchOp::Equal => Some(vec![&matcher.value]),
        MatchOp::Regex => {
            let set = matcher.regex()?.literal_set()?;
            let distinct: BTreeSet<&str> = set.iter().map(String::as_str).collect();
            Some(distinct.into_iter().collect())
        }
        MatchOp::NotEqual | MatchOp::NotRegex => None,
    }
}

/// Ids of the series whose value the matcher accepts; only for matchers that refuse the empty string.
fn accepted<'i>(index: &'i dyn IndexView, matcher: &Matcher) -> Result<Cow<'i, [SeriesId]>, IndexError> {
    let mut out = Vec::new();
    match literals(matcher) {
        Some(values) if values.len() == 1 => return index.postings(&matcher.name, values[0]),
        Some(values) => {
            for value in values {
                out.extend_from_slice(&index.postings(&matcher.name, value)?);
            }
        }
        None => {
            let prefix = match (matcher.op, matcher.regex()) {
                (MatchOp::Regex, Some(regex)) => regex.literal_prefix(),
                _ => "",
            };
            let any = matcher.op == MatchOp::Regex && matches!(matcher.value.as_str(), ".+" | "(.+)");
            index.collect(&matcher.name, prefix, &mut |value| any || matcher.matches(value), &mut out)?;
        }
    }
    normalise(&mut out);
    Ok(Cow::Owned(out))
}

/// Ids of the series that have the label with a value the matcher refuses.
fn refused<'i>(index: &'i dyn IndexView, matcher: &Matcher) -> Result<Cow<'i, [SeriesId]>, IndexError> {
    if matcher.op == MatchOp::NotEqual {
        return index.postings(&matcher.name, &matcher.value);
    }
    let mut out = Vec::new();
    // A negated regular expression refuses exactly what its positive form accepts.
    let negated = (matcher.op == MatchOp::NotRegex).then(|| matcher.regex()).flatten();
    match negated.and_then(|regex| regex.literal_set()) {
        Some(set) => {
            for value in set {
                out.extend_from_slice(&index.postings(&matcher.name, value)?);
            }
        }
        None => {
            let prefix = negated.map_or("", |regex| regex.literal_prefix());
            index.collect(&matcher.name, prefix, &mut |value| !matcher.matches(value), &mut out)?;
        }
    }
    normalise(&mut out);
    Ok(Cow::Owned(out))
}

/// Keeps the candidates whose own value the matcher accepts.
fn filter(
    index: &dyn IndexView,
    matcher: &Matcher,
    mut ids: Vec<SeriesId>,
) -> Result<Vec<SeriesId>, IndexError> {
    let mut failed = None;
    let accepts_absent = matcher.matches_empty();
    ids.retain(|&id| {
        let mut keep = accepts_absent;
        let visited = index.visit_labels(id, &mut |name, value| {
            if name == matcher.name {
                keep = matcher.matches(value);
            }
        });
        if let Err(error) = visited {
            failed = Some(error);
        }
        keep
    });
    failed.map_or(Ok(ids), Err)
}
