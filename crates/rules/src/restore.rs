//! Taking over alert times from before a restart, out of `ALERTS_FOR_STATE`.

use model::{METRIC_NAME, Matcher};
use storage::MetricsStore;
use storage::metrics::SampleColumns;

use crate::alert::AlertState;
use crate::alerting_rule::{AlertingRule, FOR_STATE_SERIES};

/// How far back an outage may reach, and how long a restored alert stays pending at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    pub outage_ms: i64,
    pub grace_ms: i64,
}

/// Gives pending alerts the time they had already waited before the process ended. The downtime itself does
/// not count, and one grace period must pass before anything fires anew.
pub(crate) fn restore(
    rule: &mut AlertingRule,
    store: &dyn MetricsStore,
    now: i64,
    tolerance: Tolerance,
) -> Result<(), String> {
    // Short waits are not worth it: such alerts start over.
    if rule.hold_ms < tolerance.grace_ms {
        rule.restored = true;
        return Ok(());
    }
    let mint = now - tolerance.outage_ms;
    let querier = store.querier(mint, now).map_err(|e| e.message)?;
    let matchers =
        [Matcher::equal(METRIC_NAME, FOR_STATE_SERIES), Matcher::equal("alertname", rule.name.as_str())];
    let handles = querier.select(&matchers).map_err(|e| e.message)?;
    let mut columns = SampleColumns::default();
    for handle in handles {
        let labels = handle.labels.without_name();
        let Some(alert) = rule.active.get_mut(&labels) else { continue };
        querier.read(&handle, mint, now, &mut columns).map_err(|e| e.message)?;
        let samples = columns.float_times.iter().zip(&columns.floats);
        let Some((&down_at, &value)) = samples.rev().find(|(_, v)| !model::is_stale(**v)) else { continue };
        let began = (value as i64).saturating_mul(1000);
        // The sample may come from anywhere, a scraped page included: no value of it may overflow.
        let waited = down_at.saturating_sub(began);
        let left = rule.hold_ms.saturating_sub(waited);
        alert.active_at = if left <= 0 {
            // It was firing: it goes on firing since then.
            began
        } else if left < tolerance.grace_ms {
            now + tolerance.grace_ms - rule.hold_ms
        } else {
            began.saturating_add(now - down_at)
        };
        if alert.state == AlertState::Pending && now.saturating_sub(alert.active_at) >= rule.hold_ms {
            alert.state = AlertState::Firing;
            alert.fired_at = Some(now);
        }
    }
    rule.restored = true;
    Ok(())
}
