//! `/proc/net/softnet_stat`: packet processing per CPU, in hexadecimal columns.

use super::Scrape;
use crate::failure::{Failure, Outcome};

/// Column, metric, help.
const COLUMNS: &[(usize, &str, &str)] = &[
    (0, "node_softnet_processed_total", "Number of processed packets"),
    (1, "node_softnet_dropped_total", "Number of dropped packets"),
    (2, "node_softnet_times_squeezed_total", "Number of times processing packets ran out of quota"),
    (
        8,
        "node_softnet_cpu_collision_total",
        "Number of collision occur while obtaining device lock while transmitting",
    ),
    (9, "node_softnet_received_rps_total", "Number of times cpu woken up received_rps"),
    (10, "node_softnet_flow_limit_count_total", "Number of times flow limit has been reached"),
    (11, "node_softnet_backlog_len", "Softnet backlog status"),
];

/// Since Linux 5.14 the line says itself which CPU it is about; offline CPUs have no line.
const CPU_COLUMN: usize = 12;

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("net/softnet_stat");
    let text = s.reader.text(&path)?;
    for (row, line) in text.lines().enumerate() {
        let mut columns = Vec::with_capacity(16);
        for field in line.split_ascii_whitespace() {
            let value = u64::from_str_radix(field, 16)
                .map_err(|_| Failure::broken(format!("invalid value {field:?} in {}", path.display())))?;
            columns.push(value as f64);
        }
        let cpu = columns.get(CPU_COLUMN).map_or(row as u64, |c| *c as u64).to_string();
        for (column, name, help) in COLUMNS {
            let value = columns.get(*column).copied().unwrap_or(0.0);
            if name.ends_with("_total") {
                s.out.counter(name, help, &[("cpu", &cpu)], value);
            } else {
                s.out.gauge(name, help, &[("cpu", &cpu)], value);
            }
        }
    }
    Ok(())
}
