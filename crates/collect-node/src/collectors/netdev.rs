//! Network traffic per interface from `/proc/net/dev`, and packets nobody wanted from sysfs.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::{number, number_file};

/// In the order of the columns: eight of reception, eight of transmission.
const COLUMNS: [&str; 16] = [
    "receive_bytes",
    "receive_packets",
    "receive_errs",
    "receive_drop",
    "receive_fifo",
    "receive_frame",
    "receive_compressed",
    "receive_multicast",
    "transmit_bytes",
    "transmit_packets",
    "transmit_errs",
    "transmit_drop",
    "transmit_fifo",
    "transmit_colls",
    "transmit_carrier",
    "transmit_compressed",
];

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("net/dev");
    let text = s.reader.text(&path)?;
    let (mut name, mut help) = (String::with_capacity(48), String::with_capacity(64));
    let mut emit = |out: &mut crate::sink::Sink, statistic: &str, device: &str, value: f64| {
        name.clear();
        name.push_str("node_network_");
        name.push_str(statistic);
        name.push_str("_total");
        help.clear();
        help.push_str("Network device statistic ");
        help.push_str(statistic);
        help.push('.');
        out.counter(&name, &help, &[("device", device)], value);
    };
    for line in text.lines().skip(2) {
        // Alias names such as eth0:1 hold a colon themselves.
        let Some((device, values)) = line.rsplit_once(':') else {
            return Err(Failure::broken(format!("invalid line {line:?} in {}", path.display())));
        };
        let device = device.trim();
        if s.settings.net_devices.ignores(device) {
            continue;
        }
        for (statistic, value) in COLUMNS.iter().zip(values.split_ascii_whitespace()) {
            emit(s.out, statistic, device, number(value, "net/dev")?);
        }
        let nohandler = s.settings.paths.sys("class/net").join(device).join("statistics/rx_nohandler");
        if let Some(value) = number_file(&nohandler) {
            emit(s.out, "receive_nohandler", device, value);
        }
    }
    Ok(())
}
