//! `/proc/net/arp`: neighbours per device.

use std::collections::BTreeMap;

use super::Scrape;
use crate::failure::Outcome;

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("net/arp");
    let text = s.reader.text(&path)?;
    let mut entries: BTreeMap<&str, u64> = BTreeMap::new();
    for line in text.lines().skip(1) {
        if let Some(device) = line.split_ascii_whitespace().nth(5) {
            *entries.entry(device).or_default() += 1;
        }
    }
    for (device, count) in entries {
        if !s.settings.arp_devices.ignores(device) {
            s.out.gauge("node_arp_entries", "ARP entries by device", &[("device", device)], count as f64);
        }
    }
    Ok(())
}
