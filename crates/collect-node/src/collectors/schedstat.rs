//! `/proc/schedstat`: time spent running and waiting per CPU.

use super::Scrape;
use crate::failure::Outcome;
use crate::read::number;

const FIELDS: &[(&str, &str, f64)] = &[
    ("node_schedstat_running_seconds_total", "Number of seconds CPU spent running a process.", 1e9),
    (
        "node_schedstat_waiting_seconds_total",
        "Number of seconds spent by processing waiting for this CPU.",
        1e9,
    ),
    ("node_schedstat_timeslices_total", "Number of timeslices executed by CPU.", 1.0),
];

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("schedstat");
    let text = s.reader.text(&path)?;
    for line in text.lines() {
        let mut columns = line.split_ascii_whitespace();
        let Some(cpu) = columns.next().and_then(|c| c.strip_prefix("cpu")) else { continue };
        // Six older columns come before running time, waiting time and time slices.
        for ((name, help, divisor), column) in FIELDS.iter().zip(columns.skip(6)) {
            s.out.counter(name, help, &[("cpu", cpu)], number(column, "schedstat")? / divisor);
        }
    }
    Ok(())
}
