//! Connection tracking: table size and what became of packets, summed over all CPUs.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::number_file;

/// Column of `/proc/net/stat/nf_conntrack`, metric, help.
const STATS: &[(&str, &str, &str)] = &[
    ("found", "node_nf_conntrack_stat_found", "Number of searched entries which were successful."),
    ("invalid", "node_nf_conntrack_stat_invalid", "Number of packets seen which can not be tracked."),
    (
        "ignore",
        "node_nf_conntrack_stat_ignore",
        "Number of packets seen which are already connected to a conntrack entry.",
    ),
    ("insert", "node_nf_conntrack_stat_insert", "Number of entries inserted into the list."),
    (
        "insert_failed",
        "node_nf_conntrack_stat_insert_failed",
        "Number of entries for which list insertion was attempted but failed.",
    ),
    ("drop", "node_nf_conntrack_stat_drop", "Number of packets dropped due to conntrack failure."),
    (
        "early_drop",
        "node_nf_conntrack_stat_early_drop",
        "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached.",
    ),
    (
        "search_restart",
        "node_nf_conntrack_stat_search_restart",
        "Number of conntrack table lookups which had to be restarted due to hashtable resizes.",
    ),
];

pub fn update(s: &mut Scrape) -> Outcome {
    let numbers = [
        (
            "nf_conntrack_count",
            "node_nf_conntrack_entries",
            "Number of currently allocated flow entries for connection tracking.",
        ),
        ("nf_conntrack_max", "node_nf_conntrack_entries_limit", "Maximum size of connection tracking table."),
    ];
    for (file, name, help) in numbers {
        let value = number_file(&s.settings.paths.proc("sys/net/netfilter").join(file));
        let value = value.ok_or_else(|| Failure::no_data("conntrack probably not loaded"))?;
        s.out.gauge(name, help, &[], value);
    }
    let path = s.settings.paths.proc("net/stat/nf_conntrack");
    let text = s.reader.text(&path)?;
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or("").split_ascii_whitespace().collect();
    let mut sums = vec![0.0; head.len()];
    for line in lines {
        for (sum, field) in sums.iter_mut().zip(line.split_ascii_whitespace()) {
            let value = u64::from_str_radix(field, 16)
                .map_err(|_| Failure::broken(format!("invalid value {field:?} in {}", path.display())))?;
            *sum += value as f64;
        }
    }
    for (column, name, help) in STATS {
        if let Some(at) = head.iter().position(|h| h == column) {
            s.out.gauge(name, help, &[], sums[at]);
        }
    }
    Ok(())
}
