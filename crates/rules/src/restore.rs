//! Taking over alerts from before a restart, out of the series the rules wrote.
//!
//! `ALERTS_FOR_STATE` says since when an alert was pending or firing; `ALERTS` that it was firing, so that
//! the end of an alert that is gone now still reaches the Alertmanagers.

use std::collections::{BTreeMap, BTreeSet};

use model::{Labels, METRIC_NAME, Matcher, TimestampMs};
use storage::MetricsStore;
use storage::metrics::SampleColumns;

use crate::alert::AlertState;
use crate::alert_book::{RESOLVED_RETENTION_MS, VALID_INTERVALS};
use crate::alerting_rule::{ALERT_NAME, ALERT_STATE, ALERTS_SERIES, AlertingRule, FOR_STATE_SERIES};

/// How far back an outage may reach, and how long a restored alert stays pending at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    pub outage_ms: i64,
    pub grace_ms: i64,
}

/// Moments of the past at which a rule is evaluated again to learn how its ended alerts looked.
const MOMENTS_MAX: usize = 16;

/// The last sample of a series, and the end of the series if it has one.
struct Last {
    at: TimestampMs,
    value: f64,
    ended: Option<TimestampMs>,
}

/// Gives pending alerts the time they had already waited before the process ended. The downtime itself does
/// not count, and one grace period must pass before anything fires anew.
pub(crate) fn restore(
    rule: &AlertingRule,
    store: &dyn MetricsStore,
    now: TimestampMs,
    tolerance: Tolerance,
) -> Result<(), String> {
    // Short waits are not worth it: such alerts start over.
    if rule.hold_ms < tolerance.grace_ms {
        rule.book().restored = true;
        return Ok(());
    }
    let matchers =
        [Matcher::equal(METRIC_NAME, FOR_STATE_SERIES), Matcher::equal(ALERT_NAME, rule.name.as_str())];
    let known = last_samples(store, &matchers, (now - tolerance.outage_ms, now));
    let mut book = rule.book();
    // There is no second chance to restore: if this failed, alerts start over.
    book.restored = true;
    for (labels, last) in known? {
        // An alert that had ended starts over.
        let Some(alert) = book.active.get_mut(&labels).filter(|_| last.ended.is_none()) else { continue };
        let began = (last.value as i64).saturating_mul(1000);
        // The sample may come from anywhere, a scraped page included: no value of it may overflow.
        let waited = last.at.saturating_sub(began);
        let left = rule.hold_ms.saturating_sub(waited);
        alert.active_at = if left <= 0 {
            // It was firing: it goes on firing since then.
            began
        } else if left < tolerance.grace_ms {
            now + tolerance.grace_ms - rule.hold_ms
        } else {
            began.saturating_add(now - last.at)
        };
        if alert.state == AlertState::Pending && now.saturating_sub(alert.active_at) >= rule.hold_ms {
            alert.state = AlertState::Firing;
            alert.fired_at = Some(now);
        }
    }
    Ok(())
}

/// Finds the alerts that were firing before the restart and are gone, and enters them as resolved: their end
/// has not reached the Alertmanagers, or not all of them. What they looked like is found by evaluating the
/// rule at the moments they were last firing. Returns how many there are.
pub(crate) fn owed_ends(
    rule: &AlertingRule,
    store: &dyn MetricsStore,
    now: TimestampMs,
    offset_ms: i64,
    between_sends_ms: i64,
) -> Result<usize, String> {
    let reach = RESOLVED_RETENTION_MS.max(VALID_INTERVALS.saturating_mul(between_sends_ms));
    let matchers = [
        Matcher::equal(METRIC_NAME, ALERTS_SERIES),
        Matcher::equal(ALERT_NAME, rule.name.as_str()),
        Matcher::equal(ALERT_STATE, AlertState::Firing.as_str()),
    ];
    let mut gone: BTreeMap<TimestampMs, BTreeMap<Labels, TimestampMs>> = BTreeMap::new();
    for (mut labels, last) in last_samples(store, &matchers, (now.saturating_sub(reach), now))? {
        labels = labels.filter(|name| name != ALERT_STATE);
        if rule.book().active.contains_key(&labels) {
            continue;
        }
        // The samples were written at the moment the query looked at.
        let evaluated_at = last.at.saturating_add(offset_ms);
        let ended = last.ended.map_or(now, |t| t.saturating_add(offset_ms)).min(now);
        gone.entry(evaluated_at).or_default().insert(labels, ended);
    }
    let mut owed = 0;
    for (at, ends) in gone.into_iter().rev().take(MOMENTS_MAX) {
        for (labels, mut alert) in rule.find(at, offset_ms)? {
            let Some(ended) = ends.get(&labels) else { continue };
            alert.state = AlertState::Inactive;
            alert.active_at = at;
            alert.fired_at = Some(at);
            alert.resolved_at = Some(*ended);
            rule.book().active.entry(labels).or_insert(alert);
            owed += 1;
        }
    }
    Ok(owed)
}

/// The last sample of each series, without its name.
fn last_samples(
    store: &dyn MetricsStore,
    matchers: &[Matcher],
    (mint, maxt): (TimestampMs, TimestampMs),
) -> Result<Vec<(Labels, Last)>, String> {
    let querier = store.querier(mint, maxt).map_err(|e| e.message)?;
    let handles = querier.select(matchers).map_err(|e| e.message)?;
    let (mut columns, mut out, mut seen) = (SampleColumns::default(), Vec::new(), BTreeSet::new());
    for handle in handles {
        querier.read(&handle, mint, maxt, &mut columns).map_err(|e| e.message)?;
        let samples = columns.float_times.iter().copied().zip(columns.floats.iter().copied());
        let mut ended = None;
        for (at, value) in samples.rev() {
            if model::is_stale(value) {
                ended = Some(at);
                continue;
            }
            let labels = handle.labels.without_name();
            if seen.insert(labels.clone()) {
                out.push((labels, Last { at, value, ended }));
            }
            break;
        }
    }
    Ok(out)
}
