//! Pressure stall information: how long tasks waited for CPU, memory, I/O and interrupts.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::number;

/// Resource, line, metric, help.
const STALLS: &[(&str, &str, &str, &str)] = &[
    (
        "cpu",
        "some",
        "node_pressure_cpu_waiting_seconds_total",
        "Total time in seconds that processes have waited for CPU time",
    ),
    (
        "io",
        "some",
        "node_pressure_io_waiting_seconds_total",
        "Total time in seconds that processes have waited due to IO congestion",
    ),
    (
        "io",
        "full",
        "node_pressure_io_stalled_seconds_total",
        "Total time in seconds no process could make progress due to IO congestion",
    ),
    (
        "memory",
        "some",
        "node_pressure_memory_waiting_seconds_total",
        "Total time in seconds that processes have waited for memory",
    ),
    (
        "memory",
        "full",
        "node_pressure_memory_stalled_seconds_total",
        "Total time in seconds no process could make progress due to memory congestion",
    ),
    (
        "irq",
        "full",
        "node_pressure_irq_stalled_seconds_total",
        "Total time in seconds no process could make progress due to IRQ congestion",
    ),
];

pub fn update(s: &mut Scrape) -> Outcome {
    let mut found = false;
    for resource in ["cpu", "io", "memory", "irq"] {
        let path = s.settings.paths.proc("pressure").join(resource);
        // Kernels without PSI, or started with psi=0, lack the files or refuse to be read.
        let Ok(text) = s.reader.text(&path) else { continue };
        for (_, kind, name, help) in STALLS.iter().filter(|row| row.0 == resource) {
            let line = text.lines().find_map(|l| l.strip_prefix(kind));
            let Some(total) = line.and_then(|l| l.rsplit_once("total=")) else { continue };
            found = true;
            // Two divisions: bit for bit what the original computes.
            s.out.counter(name, help, &[], number(total.1.trim(), "pressure")? / 1000.0 / 1000.0);
        }
    }
    if found {
        Ok(())
    } else {
        Err(Failure::no_data(
            "pressure information is unavailable, you need a Linux kernel >= 4.20 and/or CONFIG_PSI enabled for your kernel",
        ))
    }
}
