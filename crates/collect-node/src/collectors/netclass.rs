//! `/sys/class/net`: state and properties of network interfaces.

use super::Scrape;
use crate::failure::Outcome;
use crate::read::{hex_or_decimal, line, names};

/// File, metric, factor. Names ending in `_total` are counters.
const PROPERTIES: &[(&str, &str, f64)] = &[
    ("addr_assign_type", "address_assign_type", 1.0),
    ("carrier", "carrier", 1.0),
    ("carrier_changes", "carrier_changes_total", 1.0),
    ("carrier_up_count", "carrier_up_changes_total", 1.0),
    ("carrier_down_count", "carrier_down_changes_total", 1.0),
    ("dev_id", "device_id", 1.0),
    ("dormant", "dormant", 1.0),
    ("flags", "flags", 1.0),
    ("ifindex", "iface_id", 1.0),
    ("iflink", "iface_link", 1.0),
    ("link_mode", "iface_link_mode", 1.0),
    ("mtu", "mtu_bytes", 1.0),
    ("name_assign_type", "name_assign_type", 1.0),
    ("netdev_group", "net_dev_group", 1.0),
    // Megabits a second in the file.
    ("speed", "speed_bytes", 1_000_000.0 / 8.0),
    ("tx_queue_len", "transmit_queue_length", 1.0),
    ("type", "protocol_type", 1.0),
];

/// Bit of `flags`: an administrator switched the interface on.
const IFF_UP: u64 = 1;

pub fn update(s: &mut Scrape) -> Outcome {
    let base = s.settings.paths.sys("class/net");
    for device in names(&base)? {
        let dir = base.join(&device);
        // bonding_masters is a plain file among the interfaces.
        if s.settings.net_class_ignored.ignores(&device) || !dir.is_dir() {
            continue;
        }
        let labels = [("device", device.as_str())];
        let text = |file: &str| line(&dir.join(file)).unwrap_or_default();
        let operstate = text("operstate");
        let up = f64::from(u8::from(operstate == "up"));
        s.out.gauge("node_network_up", "Value is 1 if operstate is 'up', 0 otherwise.", &labels, up);

        let mut adminstate = "unknown";
        for (file, metric, factor) in PROPERTIES {
            // Some files refuse to be read while the interface is down.
            let Some(value) = hex_or_decimal(&text(file)) else { continue };
            if *file == "flags" {
                adminstate = if value as u64 & IFF_UP != 0 { "up" } else { "down" };
            }
            if *file == "speed" && value < 0.0 && s.settings.net_class_ignore_invalid_speed {
                continue;
            }
            let (name, help) =
                (format!("node_network_{metric}"), format!("Network device property: {metric}"));
            if metric.ends_with("_total") {
                s.out.counter(&name, &help, &labels, value * factor);
            } else {
                s.out.gauge(&name, &help, &labels, value * factor);
            }
        }
        let (address, broadcast, duplex, ifalias) =
            (text("address"), text("broadcast"), text("duplex"), text("ifalias"));
        let info = [
            ("device", device.as_str()),
            ("address", &address),
            ("broadcast", &broadcast),
            ("duplex", &duplex),
            ("operstate", &operstate),
            ("adminstate", adminstate),
            ("ifalias", &ifalias),
        ];
        let help = "Non-numeric data from /sys/class/net/<iface>, value is always 1.";
        s.out.gauge("node_network_info", help, &info, 1.0);
    }
    Ok(())
}
