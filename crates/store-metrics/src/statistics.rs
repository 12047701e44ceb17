//! What the TSDB status page shows of the head.

use model::METRIC_NAME;
use storage::metrics::HeadStatistics;

use crate::head::Head;

/// Each list is descending by count, then ascending by name, and at most `limit` long.
pub fn of(head: &Head, limit: usize) -> HeadStatistics {
    let mut stats = HeadStatistics {
        min_time: head.min_t().unwrap_or(i64::MAX),
        max_time: head.max_t().unwrap_or(i64::MIN),
        ..HeadStatistics::default()
    };
    head.for_each(|_, series| stats.chunks += series.chunk_count() as u64);
    let index = head.index();
    stats.series = index.len() as u64;
    for (name, values) in index.pairs() {
        let (mut count, mut bytes) = (0, 0);
        for (value, series) in values {
            count += 1;
            bytes += (value.len() * series) as u64;
            if name == METRIC_NAME {
                stats.series_by_metric_name.push((value.to_owned(), series as u64));
            }
            keep_top(&mut stats.series_by_label_pair, limit, series as u64, || format!("{name}={value}"));
        }
        stats.label_pairs += count;
        stats.values_by_label_name.push((name.to_owned(), count));
        stats.bytes_by_label_name.push((name.to_owned(), bytes));
    }
    drop(index);
    for list in [
        &mut stats.series_by_metric_name,
        &mut stats.values_by_label_name,
        &mut stats.bytes_by_label_name,
        &mut stats.series_by_label_pair,
    ] {
        list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        list.truncate(limit);
    }
    stats
}

/// Label pairs are many: only those that may end up on the list are spelled out.
fn keep_top(list: &mut Vec<(String, u64)>, limit: usize, count: u64, name: impl FnOnce() -> String) {
    if list.len() >= 4 * limit.max(16) {
        list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        list.truncate(limit.max(1));
    }
    let full = list.len() >= limit && limit > 0;
    if !full || list.iter().take(limit).any(|(_, least)| *least <= count) {
        list.push((name(), count));
    }
}
