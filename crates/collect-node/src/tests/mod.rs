//! The collectors against the original's fixtures where they are present, and against small trees of our own.

mod conformance;
mod own;
mod ttar;

use crate::{NodeCollector, Settings};

/// The text of a scrape of the named collectors, without durations.
fn scrape(settings: Settings, collectors: &[&str]) -> String {
    let mut settings = settings;
    settings.enabled = crate::TABLE.iter().map(|c| c.name).filter(|n| collectors.contains(n)).collect();
    assert_eq!(settings.enabled.len(), collectors.len(), "unknown collector among {collectors:?}");
    let collector = NodeCollector::new(settings);
    let mut text = String::new();
    expfmt::encode(&collector.collect(&collector.all()), expfmt::Format::Text, &mut text);
    let shown = text.lines().filter(|l| !l.contains("node_scrape_collector_duration_seconds"));
    shown.map(|l| format!("{l}\n")).collect()
}
